/** Node workers that report: how one stands, what goes together with it, and when a lost API is tried again (nodes-and-workers 2). */
import { RETRY_PROFILES, spanAfter } from './retry-profiles.js';

/**
 * `registering` until the first heartbeat; `draining` from an operator's word until the next, through every restart; `offline` by
 * silence alone; `failed` by a node worker's own last word.
 */
export const NODE_STATES = ['registering', 'online', 'draining', 'offline', 'failed'] as const;

/** One of them. */
export type NodeState = (typeof NODE_STATES)[number];

/** What is kept of a node; one that has left is not told of, and its running tasks are still found. */
export type KeptNodeState = Exclude<NodeState, 'offline' | 'draining'> | 'left';

/** Between two heartbeats (B-NAPI-003). */
export const HEARTBEAT_INTERVAL_MS = 10_000;

/** Three heartbeats that did not come (B-NAPI-004). */
export const SILENCE_LIMIT_MS = 30_000;

/** What is wrong where a node is silent and nobody knows that it has ended (B-NODE-036). */
export const NETWORK_PARTITION = 'NETWORK_PARTITION';

/** What is kept of how a node stands. */
export interface KeptStanding {
  state: KeptNodeState;
  /** An operator wants no more work for it. */
  drains: boolean;
}

/** How a node stands that was last heard of at this time; undefined for one that has left. */
export function stateAt(
  { state, drains }: KeptStanding,
  lastHeardMs: number,
  nowMs: number,
): NodeState | undefined {
  if (state === 'left') return undefined;
  if (state === 'failed') return 'failed';
  if (nowMs - lastHeardMs > SILENCE_LIMIT_MS) return 'offline';
  return state === 'online' && drains ? 'draining' : state;
}

/** True where tasks may be placed on a node of this state. */
export function takesTasks(state: NodeState): boolean {
  return state === 'online';
}

/** True where a node of this state can be asked how its pools stand. */
export function isHeard(state: NodeState): boolean {
  return state === 'online' || state === 'draining';
}

/** True for versions of one minor line; they speak the same words (B-NAPI-014, C-169). */
export function versionsAgree(one: string, other: string): boolean {
  const [lineOfOne, lineOfOther] = [minorLine(one), minorLine(other)];
  return lineOfOne !== undefined && lineOfOne === lineOfOther;
}

function minorLine(version: string): string | undefined {
  return /^v?(\d+\.\d+)(?:[.+-]|$)/.exec(version)?.[1];
}

const RECONNECT_JITTER_MS = 1_000;

/** Delay before the nth try of a round, from 1; undefined where the round is over. @param random - from 0 to 1 */
export function reconnectDelayMs(attempt: number, random: number): number | undefined {
  const delay = spanAfter(RETRY_PROFILES.partition, attempt);
  return delay === undefined ? undefined : delay + Math.round(random * RECONNECT_JITTER_MS);
}
