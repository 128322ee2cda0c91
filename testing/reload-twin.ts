/** Typed in-memory activities of a node, for tests of the reload's story: which engine is up, and every call in words. */
import type { NodeActivities } from '../activities/index.js';
import { stillLeased } from './drain-twin.js';
import { preloadInput } from './preload-twin.js';

/** The activities that a reload may use. */
export type ReloadTwin = Pick<
  NodeActivities,
  | 'planReload'
  | 'preflight'
  | 'spawnEngine'
  | 'awaitEngineReady'
  | 'probeEngine'
  | 'writeHandoff'
  | 'switchEngine'
  | 'markPoolReloading'
  | 'markPoolReady'
  | 'awaitLeases'
  | 'endLeases'
  | 'stopEngine'
  | 'endReload'
>;

const OLD = preloadInput('node-1').prepared;
const NEW = {
  ...OLD,
  engine_version: 'b5678',
  model_ref: 'file:/models/new.gguf',
  model_path: '/models/new.gguf',
};

/** A pool whose old engine has so many running tasks; every step succeeds but for those in `changes`. */
export function reloadTwin(activeLeases: number, changes: Partial<ReloadTwin> = {}) {
  const calls: string[] = [];
  const ends: Parameters<ReloadTwin['endReload']>[0][] = [];
  const state = { activeLeases };
  const engine = (pid: number) => ({ pid, start_ticks: '9', url: `http://127.0.0.1:${pid}` });
  const steps: ReloadTwin = {
    planReload: () => Promise.resolve({ current: { prepared: OLD, engine: engine(1) }, next: NEW }),
    preflight: (prepared) => Promise.resolve({ prepared, serving: null }),
    spawnEngine: ({ model_ref }) => Promise.resolve(engine(model_ref === OLD.model_ref ? 3 : 2)),
    awaitEngineReady: () => Promise.resolve(),
    probeEngine: () => Promise.resolve(),
    writeHandoff: () => Promise.resolve('/state/engines/gpu-0-r0.json'),
    switchEngine: () => Promise.resolve(),
    markPoolReloading: () => Promise.resolve(),
    markPoolReady: () => Promise.resolve(),
    awaitLeases: () => (state.activeLeases === 0 ? Promise.resolve() : Promise.reject(stillLeased())),
    endLeases: () => Promise.resolve({ final_lease_count: state.activeLeases }),
    stopEngine: () => Promise.resolve({ outcome: 'stopped', pid: 1 }),
    endReload: () => Promise.resolve(),
    ...changes,
  };
  const noted = Object.entries(steps).map(([name, step]) => {
    const note = (input: unknown): Promise<unknown> => {
      const call = `${name} ${subjectOf(input)}`.trim();
      if (calls.at(-1) !== call) calls.push(call);
      if (name === 'endReload') ends.push(input as (typeof ends)[number]);
      return (step as (given: unknown) => Promise<unknown>)(input);
    };
    return [name, note] as const;
  });
  return { activities: Object.fromEntries(noted) as unknown as ReloadTwin, calls, ends, state };
}

/** Replica and model of a call, as far as it names them. */
function subjectOf(input: unknown): string {
  const { prepared, replica_id, model_ref } = input as {
    prepared?: { replica_id?: string; model_ref?: string };
    replica_id?: string;
    model_ref?: string;
  };
  const replica = prepared?.replica_id ?? replica_id;
  const model = prepared?.model_ref ?? model_ref;
  const age = model === undefined ? [] : [model === OLD.model_ref ? 'old' : 'new'];
  return [...(replica === undefined ? [] : [replica]), ...age].join(' ');
}
