/** Where an operation stands: for operators in its current details and the log, for callers by a query. */
import {
  CancellationScope,
  CancelledFailure,
  log,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { OperationStep } from '../../contracts/operation.js';
import type { OperationKind } from '../../domain/identity.js';
import { operationStepsQuery } from '../messages.js';

/** The steps of one run, each told as it begins. */
export class Progress<Step extends string> {
  private readonly steps: { step: string; doing: string; at_ms: number; ended_at_ms: number | null }[] = [];
  private current: Step;

  /**
   * @param first - the step that a failure before any other belongs to
   * @param subject - the fields of the log that say which pool, or which node
   */
  constructor(
    private readonly operation: OperationKind | 'install',
    first: Step,
    private readonly subject: { pool_id: string; replica_id?: string } | { node_name: string },
  ) {
    this.current = first;
    setHandler(operationStepsQuery, () => this.told());
  }

  /** The step that the operation is in, or was in when it ended. */
  get step(): Step {
    return this.current;
  }

  /** Begins a step; a cancel that came while the last one was being finished ends the story between them. */
  enter(step: Step, doing: string): void {
    if (CancellationScope.current().consideredCancelled) {
      throw new CancelledFailure(`${this.operation} cancelled`);
    }
    this.current = step;
    this.begin(step, doing);
    log.info(`${this.operation}: ${doing}`, { event: `${this.operation}_step`, ...this.subject, step });
  }

  /** Begins the way back: the step in which the operation failed stays its step. */
  turnBack(doing: string): void {
    this.begin('rollback', doing);
    log.warn(`${this.operation}: rollback`, {
      event: `${this.operation}_step`,
      ...this.subject,
      step: 'rollback',
    });
  }

  /** The last step is over; `details` is what operators read from now on. */
  finish(details?: string): void {
    this.endStep();
    if (details !== undefined) setCurrentDetails(details);
  }

  private begin(step: string, doing: string): void {
    this.endStep();
    this.steps.push({ step, doing, at_ms: Date.now(), ended_at_ms: null });
    setCurrentDetails(`${step}: ${doing}`);
  }

  private endStep(): void {
    const last = this.steps.at(-1);
    if (last?.ended_at_ms === null) last.ended_at_ms = Date.now();
  }

  private told(): OperationStep[] {
    return this.steps.map(({ step, doing, at_ms, ended_at_ms }) => {
      const duration_ms = ended_at_ms === null ? null : ended_at_ms - at_ms;
      return { step, doing, at_ms, duration_ms };
    });
  }
}
