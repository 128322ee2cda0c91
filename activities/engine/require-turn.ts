/** How many engines a node loads at once: each reads gigabytes from one disk and fills memory nobody has measured yet. */
import { isLive } from '../../domain/pool.js';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';

/** A load takes seconds to minutes: until then a caller is told to come again. */
const RETRY_DELAY_MS = 3_000;

/**
 * Lets at most so many pools load at once (B-PRELOAD-074). An engine beside one that serves is a reload's, not a preload's.
 * @throws ApplicationFailure `POOL_UNAVAILABLE`, retryable, when the others are as many as may
 */
export function requireTurn(
  { pools, nodeId, parallelPreloads }: Pick<NodeActivityDeps, 'pools' | 'nodeId' | 'parallelPreloads'>,
  pool_id: string,
): void {
  const state = pools.status(pool_id)?.state;
  if (state !== undefined && isLive(state)) return;
  const others = pools.loading().filter((other) => other !== pool_id);
  if (others.length < parallelPreloads) return;
  const message = `node ${nodeId} loads as many pools as it may at once: ${others.join(', ')}; try again later`;
  const options = { retryable: true, nextRetryDelayMs: RETRY_DELAY_MS };
  throw poolFailure('POOL_UNAVAILABLE', message, { pool_id }, options);
}
