/** The pools of the driver's stack: launch descriptions, and how an operator loads one through whichever API is up. */
import { setTimeout as delay } from 'node:timers/promises';
import { prepareEngine } from '../../features/support/engines.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import type { Clock } from './clock.js';
import type { Exchange } from './story.js';
import type { Wire } from './wire.js';

/** Tasks that each pool runs at once: fewer than there are clients, so that some wait. */
const SLOTS = 4;
/** The longest prompt and answer of a plan fit many times. */
const CTX = 1_024;
/** One call waits that long for the engine; the operator asks again. */
const WAIT_MS = 30_000;
/** A preload whose control worker dies waits for Temporal to notice, 10 s, as often as that happens. */
const PRELOAD_LIMIT_MS = 120_000;
const PAUSE_MS = 250;

/** Launch description of an embedded engine that serves `model_ref` = the pool's own name. */
export async function engineOf(pool: string, modelPath: string): Promise<PreparedEngine> {
  const wish = { engine: 'embedded', modelPath, slots: SLOTS, ctx: CTX, xllamacpp: undefined } as const;
  const prepared = await prepareEngine(wish);
  const flags = prepared.flags.map((flag, index) => (prepared.flags[index - 1] === '--alias' ? pool : flag));
  return { ...prepared, flags, pool_id: pool, model_ref: pool, model_name: pool };
}

/** The flags by which an engine of this pool is told from all others. */
export function markOf(pool: string): string {
  return `--alias ${pool}`;
}

/** What an operator needs. */
export interface OperatorDeps {
  wire: Wire;
  clock: Clock;
  /** The API to knock at now. */
  door: () => string;
}

/** Loads a pool, asking again whenever nobody answers; the answers, the last one for good. */
export async function loadPool(
  prepared: PreparedEngine,
  { wire, clock, door }: OperatorDeps,
): Promise<Exchange[]> {
  const answers: Exchange[] = [];
  const path = `/v2/pools/${prepared.pool_id}/preload`;
  const body = { prepared, wait_ms: WAIT_MS };
  for (const lateMs = clock.nowMs + PRELOAD_LIMIT_MS; ;) {
    const answer = await wire.send(door(), 'POST', { path, headers: {}, body });
    answers.push(answer);
    const isFinal = ![undefined, 202, 429, 503].includes(answer.status);
    if (isFinal || clock.nowMs > lateMs) return answers;
    await delay(PAUSE_MS);
  }
}
