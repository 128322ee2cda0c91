/**
 * The nodes that have registered, as this API knows them: read from the store again and again, so that what one API was told
 * all of them know a moment later. While the store is away everything stays as it was; silence counts from its return.
 */
import type { ReportedNode } from '../../contracts/node-service.js';
import { isHeard, stateAt, type NodeState } from '../../domain/node-service.js';
import type { KeptNode, NodeWorkers } from '../../store/node-workers.js';
import type { Logger } from '../../telemetry/logger.js';

/** What the directory works with. */
export interface NodeDirectoryDeps {
  nodeWorkers: Pick<NodeWorkers, 'list'>;
  log: Pick<Logger, 'info' | 'warn'>;
  now: () => number;
}

/** Nodes that have registered. */
export interface NodeDirectory {
  /** Those that have not left. */
  ids: () => readonly string[];
  /** Where a node is; of one that has left, where it was. */
  urlOf: (nodeId: string) => string | undefined;
  /** How it stood at the last look; undefined for one that is not registered, or has left. */
  stateOf: (nodeId: string) => NodeState | undefined;
  /** Reads the store now. @throws DroverError STORE_UNAVAILABLE */
  refresh: () => Promise<readonly ReportedNode[]>;
  /** Called with the nodes at every look. */
  onLook: (listener: (nodes: readonly ReportedNode[]) => void) => void;
  /** Looks every second from now on. @returns how to end that */
  start: () => () => void;
}

/** A node that left at another API gets no task a second later; a look is one small statement. */
const LOOK_EVERY_MS = 1_000;

/** A directory that knows nobody yet. */
export function createNodeDirectory({ nodeWorkers, log, now }: NodeDirectoryDeps): NodeDirectory {
  let known = new Map<string, { url: string; state: NodeState | undefined }>();
  let storeIsAway = false;
  let silentFromMs = 0;
  const listeners: ((nodes: readonly ReportedNode[]) => void)[] = [];
  let looking: Promise<readonly ReportedNode[]> | undefined;

  async function look(): Promise<readonly ReportedNode[]> {
    const kept = await nodeWorkers.list().catch((err: unknown) => {
      storeIsAway = true;
      throw err;
    });
    // Nobody could be heard meanwhile.
    if (storeIsAway) silentFromMs = now();
    storeIsAway = false;
    const reported = kept.map((node) => ({ node, state: stateAt(node, heardMs(node), now()) }));
    for (const { node, state } of reported) tell(node.node_id, state);
    known = new Map(reported.map(({ node, state }) => [node.node_id, { url: node.address, state }]));
    const present = reported.flatMap(({ node, state }) => (state === undefined ? [] : [shown(node, state)]));
    for (const listener of listeners) listener(present);
    return present;
  }

  function heardMs({ last_heartbeat_ms, registered_ms }: KeptNode): number {
    return Math.max(last_heartbeat_ms ?? registered_ms, silentFromMs);
  }

  /** One line a change. */
  function tell(node_id: string, state: NodeState | undefined): void {
    const before = known.get(node_id)?.state;
    if (before === state) return;
    const line = { event: `node_${state ?? 'left'}`, node_id, from: before ?? null };
    if (state === 'offline' || state === 'failed') log.warn(line, 'a node reports no more');
    else log.info(line, 'a node stands otherwise than before');
  }

  const refresh = () =>
    (looking ??= look().finally(() => {
      looking = undefined;
    }));
  return {
    ids: () => [...known].flatMap(([id, { state }]) => (state === undefined ? [] : [id])),
    urlOf: (nodeId) => known.get(nodeId)?.url,
    stateOf: (nodeId) => known.get(nodeId)?.state,
    refresh,
    onLook: (listener) => void listeners.push(listener),
    start() {
      const again = () => void refresh().catch(() => undefined); // What is away now may be back at the next look.
      again();
      const timer = setInterval(again, LOOK_EVERY_MS).unref();
      return () => clearInterval(timer);
    },
  };
}

/** Of a node that is silent no pool is ready, whatever it said last (B-NAPI-004). */
function shown({ state: _kept, drains: _drains, pools, ...node }: KeptNode, state: NodeState): ReportedNode {
  const told = isHeard(state) ? pools : pools.map((pool) => ({ ...pool, ready: false }));
  return { ...node, state, pools: told };
}
