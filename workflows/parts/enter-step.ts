/** Where an operation on a pool stands, for operators: in its current details, and in the log. */
import { CancellationScope, CancelledFailure, log, setCurrentDetails } from '@temporalio/workflow';

/**
 * Begins a step; a cancel that came while the last one was being finished ends the story between them.
 * @param pool - the fields of the log that say which pool
 */
export function enterStep<Step extends string>(
  operation: 'preload' | 'drain' | 'reload',
  run: { step: Step },
  pool: { pool_id: string; replica_id?: string },
  step: Step,
  doing: string,
): void {
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure(`${operation} cancelled`);
  run.step = step;
  log.info(`${operation}: ${doing}`, { event: `${operation}_step`, ...pool, step });
  setCurrentDetails(`${step}: ${doing}`);
}
