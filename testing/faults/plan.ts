/**
 * What a seed stands for: which tasks the clients post and how they behave, what an operator loads meanwhile, and what
 * dies when. Nothing else is drawn while the plan is played, but a client's choice of door, from a stream of its own.
 */
import { Draw } from './draw.js';

/** What may be struck; `victims.ts` says how. */
export const VICTIMS = ['api', 'control', 'node', 'engine', 'both', 'stall', 'disk', 'cut'] as const;

/** A victim's name. */
export type VictimName = (typeof VICTIMS)[number];

/** The words that a client speaks: ours, or OpenAI's chat or text completion. */
export type Route = 'v2' | 'chat' | 'completion';

/** Pool that serves: `slow` streams for seconds, `fast` ends before anybody can look. */
export type PoolName = 'slow' | 'fast';

/** One task and what its client does with it. */
export interface PlannedTask {
  /** `task_id`, or `Idempotency-Key` under `/v1`; unique within the run. */
  name: string;
  route: Route;
  pool: PoolName;
  topic: string;
  maxTokens: number;
  priority: 'interactive' | 'batch';
  /** Not posted sooner; a client plays its tasks one after the other. */
  notBeforeMs: number;
  /** False: a `/v1` request for the whole completion. */
  stream: boolean;
  /** Cancelled once that many tokens were seen; null: runs to its own end. */
  cancelAfterTokens: number | null;
  /** The reader leaves of its own after so many frames of each visit, and comes back. */
  leaveAfterFrames: readonly number[];
  /** Sent to two doors at the same moment. */
  twice: boolean;
  /** Another body is sent under the same id after the acceptance. */
  conflict: boolean;
  /** Not sent again when the connection dies without an answer; nobody reads it. */
  walksAway: boolean;
  /** A `/v1` stream goes on by the same POST, or by GET. */
  resumeBy: 'post' | 'get';
}

/** One blow. */
export interface PlannedStrike {
  victim: VictimName;
  /** At a time, or so long after a task's first request was sent, to the process that has it: in mid-admission. */
  when: { atMs: number } | { task: string; afterMs: number };
  /** Which one, where there are several. */
  draw: number;
  /** How long the damage lasts. */
  mendAfterMs: number;
}

/** A pool that an operator loads while things die. */
export interface PlannedPreload {
  pool: string;
  notBeforeMs: number;
}

/** Everything that a seed decides. */
export interface Plan {
  seed: number;
  seconds: number;
  victims: readonly VictimName[];
  /** Tasks of each client, in order. */
  clients: readonly (readonly PlannedTask[])[];
  strikes: readonly PlannedStrike[];
  preloads: readonly PlannedPreload[];
  /** Seeds of the clients' choices. */
  doorSeeds: readonly number[];
}

/** What a plan is made for. */
export interface PlanWish {
  seed: number;
  seconds: number;
  victims: readonly VictimName[];
}

const CLIENTS = 8;
/** Topics that the demo model knows; the last one never ends by itself. */
const TOPICS = ['sea', 'mountains', 'bread', 'stars', 'count', 'endless'];
/** Few different lengths, so that few undisturbed runs tell what all tasks must say. */
const LENGTHS: Record<PoolName, readonly number[]> = { slow: [8, 32, 96], fast: [4, 64] };
/** Mean pauses between two tasks of a client, and between two strikes of a kind. */
const TASK_EVERY_MS = 3_000;
const STRIKE_EVERY_MS: Record<VictimName, number> = {
  api: 2_500,
  control: 4_000,
  node: 6_000,
  engine: 6_000,
  both: 12_000,
  stall: 8_000,
  disk: 8_000,
  cut: 10_000,
};
/** How long the damage of a strike lasts, at most: a cut may be longer than the node's fence, and shorter than a move takes. */
const MENDED_WITHIN_MS = 1_500;
const CUT_MENDED_WITHIN_MS = 20_000;
/** Of all kills of an API so many are aimed at an admission; from offer to 202 it takes some 10 to 60 ms. */
const AIMED_SHARE = 0.5;
const LONGEST_ADMISSION_MS = 60;
/** A preload takes some seconds; two of them meet a dying control worker or API often enough. */
const PRELOADS = 2;

/** Draws a plan. */
export function planOf({ seed, seconds, victims }: PlanWish): Plan {
  const draw = new Draw(seed);
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    clientOf(draw.fork(), `s${seed}-c${index + 1}`, seconds),
  );
  const strikes = victims.flatMap((victim) => strikesOf(draw.fork(), victim, { seconds, clients }));
  const preloads = Array.from({ length: PRELOADS }, (_, index) => ({
    pool: `extra-${index + 1}`,
    notBeforeMs: draw.between(0, seconds * 700),
  }));
  const doorSeeds = clients.map(() => draw.between(0, 0x7fff_ffff));
  return { seed, seconds, victims, clients, strikes, preloads, doorSeeds };
}

function clientOf(draw: Draw, name: string, seconds: number): PlannedTask[] {
  const count = Math.max(1, Math.round((seconds * 1000) / TASK_EVERY_MS));
  const times = Array.from({ length: count }, () => draw.between(0, seconds * 900)).sort((a, b) => a - b);
  return times.map((notBeforeMs, index) => taskOf(draw, `${name}-t${index + 1}`, notBeforeMs));
}

function taskOf(draw: Draw, name: string, notBeforeMs: number): PlannedTask {
  const route = draw.pick<Route>(['v2', 'v2', 'v2', 'v2', 'chat', 'completion']);
  const pool = draw.pick<PoolName>(['slow', 'slow', 'fast']);
  const isOurs = route === 'v2';
  const maxTokens = draw.pick(LENGTHS[pool]);
  const walksAway = isOurs && draw.chance(0.1);
  const stream = isOurs || draw.chance(0.75);
  return {
    name,
    route,
    pool,
    topic: draw.pick(TOPICS),
    maxTokens,
    priority: isOurs && draw.chance(0.3) ? 'batch' : 'interactive',
    notBeforeMs,
    stream,
    cancelAfterTokens: isOurs && draw.chance(0.25) ? draw.between(0, Math.floor(maxTokens / 2)) : null,
    leaveAfterFrames: stream && draw.chance(0.4) ? [draw.between(1, 8), draw.between(1, 20)] : [],
    twice: !walksAway && draw.chance(0.15),
    conflict: draw.chance(0.3),
    walksAway,
    resumeBy: draw.pick(['post', 'get'] as const),
  };
}

/** Pauses are drawn evenly from none to twice the mean, so that two deaths may fall together. */
function strikesOf(
  draw: Draw,
  victim: VictimName,
  { seconds, clients }: { seconds: number; clients: readonly (readonly PlannedTask[])[] },
): PlannedStrike[] {
  const posts = clients.flat();
  const strikes: PlannedStrike[] = [];
  for (let atMs = 0; ;) {
    atMs += draw.between(0, STRIKE_EVERY_MS[victim] * 2);
    if (atMs > seconds * 1000) return strikes;
    const isAimed = victim === 'api' && draw.chance(AIMED_SHARE);
    const aim = { task: draw.pick(posts).name, afterMs: draw.between(0, LONGEST_ADMISSION_MS) };
    strikes.push({
      victim,
      when: isAimed ? aim : { atMs },
      draw: draw.next(),
      mendAfterMs: draw.between(0, victim === 'cut' ? CUT_MENDED_WITHIN_MS : MENDED_WITHIN_MS),
    });
  }
}
