/** One run of a supervisor: what it remembers, what others may tell it, and how it stands. */
import { log, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import type {
  CarriedSupervision,
  EngineReady,
  SupervisePoolInput,
  SupervisionView,
} from '../../contracts/supervision.js';
import * as policy from '../../domain/supervision.js';
import {
  engineReadySignal,
  poolDrainedSignal,
  poolForgottenSignal,
  resetCircuitUpdate,
  supervisionQuery,
} from '../messages.js';
import { NodeId, PoolId } from '../search-attributes.js';

/** One run: what is supervised, what is remembered, what the node has yet to be told. */
export interface Run {
  poolId: string;
  ready: EngineReady;
  state: CarriedSupervision;
  step: SupervisionView['step'];
  /** Counts what came from outside and changes the course of things. */
  news: number;
  untold: policy.CircuitTransition[];
  /** The pool is no more. */
  isOver: boolean;
}

/** Takes up where the run before left off, and answers from its first moment on. */
export function setUp({ pool_id: poolId, ready, carried }: SupervisePoolInput): Run {
  const state = carried ?? {
    ...{ supervision: policy.UNDISTURBED, wanted: true, serving_since_ms: Date.now() },
    ...{ known_crash_id: null, last_crash: null, due: null },
  };
  const run: Run = { poolId, ready, state, step: 'watch', news: 0, untold: [], isOver: false };
  setHandler(engineReadySignal, (told) => takeReady(run, told));
  setHandler(poolDrainedSignal, () => {
    Object.assign(run.state, { wanted: false, due: null });
    run.news += 1;
  });
  setHandler(poolForgottenSignal, () => {
    Object.assign(run.state, { wanted: false, due: null });
    run.isOver = true;
    run.news += 1;
  });
  setHandler(resetCircuitUpdate, ({ by }) => resetBy(run, by));
  setHandler(supervisionQuery, () => viewOf(run));
  upsertSearchAttributes([
    { key: PoolId, value: poolId },
    { key: NodeId, value: ready.node_id },
  ]);
  return run;
}

/** An operator's preload ends whatever was planned; while a circuit is open it is the one restart that is let through. */
function takeReady(run: Run, ready: EngineReady): void {
  run.ready = ready;
  Object.assign(run.state, { wanted: true, serving_since_ms: Date.now() });
  if (ready.by === 'supervision') return;
  run.state.due = null;
  apply(run, policy.letOneThrough(run.state.supervision));
  run.news += 1;
}

function resetBy(run: Run, by: string): SupervisionView {
  const { state, poolId: pool_id } = run;
  log.info('circuit reset', { event: 'circuit_reset', pool_id, by, at: isoTime(Date.now()) });
  apply(run, policy.reset(state.supervision));
  if (state.due !== null) state.due = { ...state.due, held: false, at_ms: Date.now() };
  run.news += 1;
  return viewOf(run);
}

/** Takes a change of the circuits in; the node is told of it with the next step. */
export function apply(run: Run, { next, transitions }: policy.Change): void {
  run.state.supervision = next;
  run.untold.push(...transitions);
}

/** Begins a step, for operators: in the current details and in the log. */
export function enter(run: Run, step: Run['step'], doing: string): void {
  run.step = step;
  log.info(`supervise: ${doing}`, { event: 'supervise_step', pool_id: run.poolId, step });
  setCurrentDetails(`${step}: ${doing}`);
}

function viewOf({ poolId, step, state }: Run): SupervisionView {
  const { supervision, due, last_crash } = state;
  const { general, cuda, crash_count, restart_count } = supervision;
  const circuit = ({ state: at, failures }: typeof general) => ({ state: at, failure_count: failures });
  return {
    pool_id: poolId,
    step,
    attempts: crash_count,
    restart_count,
    next_restart_at: due === null ? null : isoTime(due.at_ms),
    last_crash: last_crash === null ? null : { reason: last_crash.reason, at: isoTime(last_crash.at_ms) },
    circuits: { general: circuit(general), cuda: circuit(cuda) },
  };
}

/** A time as operators read it. */
export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
