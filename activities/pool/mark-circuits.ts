/** Activity `markCircuits`: circuits have moved. What holds a pool's restarts is shown and told (B-POOL-008, B-SUPER-041). */
import type { CircuitTransition, Storm } from '../../domain/supervision.js';
import { raiseAlert } from '../../telemetry/alert.js';
import type { NodeActivityDeps } from '../deps.js';
import type { TakenPool } from './plan-restart.js';
import { narration, poolFields } from './pool-fields.js';

/** What has happened. */
export interface MarkCircuitsInput {
  pool_id: string;
  transitions: CircuitTransition[];
  storms: Storm[];
  restart_count: number;
  /** A circuit is open: no restart before `until_ms`; null where none is. */
  held: { until_ms: number; last_error: string } | null;
}

/** What operators can do about an engine that runs out of memory again and again (B-SUPER-038). */
const OOM_HINT = 'give it a smaller context, fewer slots, or another GPU';

type Deps = Pick<NodeActivityDeps, 'pools' | 'metrics' | 'log'>;

/** Builds the activity `markCircuits`. */
export function markCircuitsActivity(deps: Deps) {
  /** Answers false where restarts are to be held and another operation has the pool. */
  return function markCircuits(input: MarkCircuitsInput): Promise<TakenPool> {
    const { pool_id, transitions, storms, held } = input;
    for (const transition of transitions) tellTransition(deps, input, transition);
    for (const storm of storms) tellStorm(deps, input, storm);
    if (held === null) return Promise.resolve({ taken: true });
    const taken = deps.pools.held(pool_id, held.until_ms, held.last_error);
    if (taken) tellHeld(deps, pool_id, held.last_error);
    return Promise.resolve({ taken });
  };
}

function tellHeld({ pools, log }: Deps, pool_id: string, last_error: string): void {
  log.error({ event: 'pool_failed', ...poolFields(pools, pool_id), last_error }, 'pool failed');
}

function tellTransition(
  { pools, metrics, log }: Deps,
  { pool_id, restart_count, held }: MarkCircuitsInput,
  transition: CircuitTransition,
): void {
  const { circuit, old_state, new_state, failure_count } = transition;
  metrics.circuitMoved(pool_id, transition);
  const human = `Moves the ${circuit} circuit from ${old_state} to ${new_state}`;
  const figures = { circuit, old_state, new_state, failure_count };
  const line = {
    event: 'circuit_moved',
    ...narration('circuit', pool_id, human),
    ...poolFields(pools, pool_id),
    ...figures,
  };
  if (new_state !== 'open') {
    log.info(line, 'circuit moved');
    return;
  }
  log.warn(line, 'circuit moved');
  const { last_error = null } = held ?? {};
  raiseAlert(log, 'circuit_open', { pool_id, circuit, failure_count, restart_count, last_error });
}

function tellStorm({ metrics, log }: Deps, { pool_id }: MarkCircuitsInput, storm: Storm): void {
  const { kind, count, window_ms } = storm;
  metrics.storm(pool_id, storm);
  const figures = { pool_id, restart_count: count, time_window: window_ms };
  if (kind === 'restart_storm') raiseAlert(log, kind, figures);
  else raiseAlert(log, kind, { ...figures, class: kind, hint: OOM_HINT });
}
