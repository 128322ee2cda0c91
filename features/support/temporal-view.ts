/** What an operator sees in Temporal: a task's description and history, with the payload keys and without them. */
import { Client, Connection, type WorkflowExecutionDescription } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { readSettings } from '../../contracts/settings.js';
import { taskWorkflowId } from '../../domain/identity.js';
import { requirePayloadKeys, temporalDataConverter } from '../../workers/temporal.js';

/** A history event, as Temporal's command line prints it. */
export type HistoryEvent = Readonly<Record<string, unknown>> & { eventType: string };

/** Temporal through an operator's eyes. */
export class TemporalView {
  private readonly sealed: Client;
  private readonly open: Client;

  /** @param environment - of a process of the stack, for its payload keys */
  constructor(connection: Connection, namespace: string, environment: Record<string, string>) {
    const dataConverter: DataConverter = temporalDataConverter(requirePayloadKeys(readSettings(environment)));
    this.sealed = new Client({ connection, namespace });
    this.open = new Client({ connection, namespace, dataConverter });
  }

  /** The workflow of a task, its memo opened. */
  describeTask(taskId: string): Promise<WorkflowExecutionDescription> {
    return this.open.workflow.getHandle(taskWorkflowId(taskId)).describe();
  }

  /** The workflow of a task for somebody without the keys: what the server itself keeps. */
  describeSealed(taskId: string): Promise<WorkflowExecutionDescription> {
    return this.sealed.workflow.getHandle(taskWorkflowId(taskId)).describe();
  }

  /** Events of a task's history as the server keeps them: payloads sealed. */
  historyOfTask(taskId: string): Promise<HistoryEvent[]> {
    return this.history(taskWorkflowId(taskId));
  }

  /** Events of any workflow's history. */
  async history(workflowId: string): Promise<HistoryEvent[]> {
    const history = await this.sealed.workflow.getHandle(workflowId).fetchHistory();
    const { events } = JSON.parse(historyToJSON(history)) as { events: HistoryEvent[] };
    return events;
  }

  /** Ids of the workflows that a search finds. */
  async search(query: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { workflowId } of this.sealed.workflow.list({ query })) found.push(workflowId);
    return found;
  }

  /** How a task's workflow ended: its result, or the error that awaiting it raises. */
  resultOfTask(taskId: string): Promise<unknown> {
    return this.open.workflow.getHandle(taskWorkflowId(taskId)).result();
  }
}
