/** Where a request comes in its deadline becomes an instant (B-DEAD-001, B-DEAD-007). */
import { DroverError } from '../../contracts/errors.js';
import { DEADLINE_HEADER, fixDeadline } from '../../domain/deadline.js';
import { invalidParams } from '../plugins/invalid-params.js';
import type { RequestContext } from '../request-context.js';

/**
 * The instant by which the task must have ended. A header that asks for a later one is not heeded, and said so in the log.
 * @throws DroverError INVALID_PARAMS for a header that is no instant; DEADLINE_UNMET for one that has passed
 */
export function edgeDeadline(
  { task_id, deadline_ms }: { task_id: string; deadline_ms: number },
  { deadline: header, log }: Pick<RequestContext, 'deadline' | 'log'>,
  nowMs: number,
): number {
  const fixed = fixDeadline(deadline_ms, header, nowMs);
  if (fixed.kind === 'passed') throw new DroverError('DEADLINE_UNMET', `${DEADLINE_HEADER} has passed`);
  if (fixed.kind === 'malformed') {
    const message = 'must be an instant in ISO 8601, such as 2026-03-01T12:00:00Z';
    throw invalidParams([{ path: [DEADLINE_HEADER], code: 'custom', message }]);
  }
  if (fixed.putOffInVain) {
    const deadline = new Date(fixed.atMs).toISOString();
    log.warn({ event: 'deadline_header_ignored', task_id, deadline }, 'a header asks for a later deadline');
  }
  return fixed.atMs;
}
