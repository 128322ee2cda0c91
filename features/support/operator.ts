/** An operator of the scenario's stack: Temporal, metrics, logs, the codec endpoint. */
import { eventually } from '../../testing/changes.js';
import type { Program } from '../../testing/program.js';
import type { Answer } from './api-client.js';
import { AuditView } from './audit-view.js';
import { Meter, type Owner } from './meter.js';
import type { Metrics } from './metrics-text.js';
import type { Requests } from './requests.js';
import type { Stack } from './stack.js';
import { TemporalView } from './temporal-view.js';

/** Operator of one scenario. */
export class Operator {
  /** The counters of API and node worker. */
  readonly meter: Meter;
  /** Temporal as an operator sees it. */
  readonly temporal: TemporalView;
  /** The audit logs of API and node worker. */
  readonly audit: AuditView;
  /** Metrics that the scenario has read. */
  readings: Record<Owner, Metrics>[] = [];

  constructor(
    private readonly stack: Stack,
    private readonly http: Requests,
  ) {
    this.meter = new Meter(stack);
    this.audit = new AuditView(stack);
    this.temporal = new TemporalView(stack.temporal.connection, stack.namespace, stack.environment());
  }

  /** The process whose log is read. */
  processOf(owner: Owner | 'control'): Program {
    if (owner === 'control') return this.stack.mustControl();
    return owner === 'api' ? this.stack.mustApi().program : this.stack.mustNode();
  }

  /** Searches until a workflow is found: Temporal's index is some moments behind. Answers with all that is found. */
  searchUntilFound(query: string, workflowId: string): Promise<string[]> {
    const found = async () => {
      const ids = await this.temporal.search(query);
      return ids.includes(workflowId) ? ids : undefined;
    };
    return eventually(() => `"${query}" to find ${workflowId}`, found);
  }

  /** Sends a task's input to the codec endpoint, as Temporal's web UI does. */
  async decodeInput(taskId: string, secret: string): Promise<Answer> {
    const payloads = [await this.temporal.inputOfTask(taskId)];
    return this.http.send('POST', `/codec/${secret}/decode`, { key: null, body: { payloads } });
  }
}
