/** A run as its node tells it, for tests of what is made of that. */
import type { ErrorCode } from '../contracts/errors.js';
import type { RunView } from '../contracts/node.js';

/** A run that has said its first token, but for `changes`. */
export function runView(changes: Partial<RunView> = {}): RunView {
  return {
    task_id: 't',
    node_id: 'node-1',
    pool_id: 'default',
    replica_id: 'r0',
    epoch: 1,
    digest: 'digest',
    confirmed: true,
    state: 'executing',
    ended: false,
    engine: 'llamacpp',
    engine_version: 'v',
    model_ref: 'demo',
    priority: 'interactive',
    queue_position: null,
    admission: { queue_position: 0, predicted_start_ms: 0, backoff_ms: 0, preparation: { steps: [] } },
    admitted_at_ms: 1_000,
    started_at_ms: 1_001,
    first_token_at_ms: 1_010,
    ended_at_ms: null,
    tokens_in: 3,
    tokens_out: 1,
    stop_reason: null,
    error: null,
    next_offset: 2,
    correlation_id: 'c',
    dialect: null,
    ...changes,
  };
}

/** A run that completed. */
export const completedView = runView({
  state: 'completed',
  ended: true,
  ended_at_ms: 2_000,
  tokens_out: 8,
  stop_reason: 'EOS',
});

/** A run that ended otherwise. */
export function endedView(state: RunView['state'], code: ErrorCode): RunView {
  const error = { code, message: 'it ended', retriable: false };
  return runView({ state, ended: true, ended_at_ms: 2_000, error });
}
