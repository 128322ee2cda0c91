/** Whether an engine can serve: its own word, and one token, because its word can lie (design §5). */
import { isHealthy, type EngineAdapter } from '../../activities/engine/adapters/engine-adapter.js';
import { probeWork } from '../../activities/engine/adapters/probe-work.js';

/** An engine's answer for its health; a hung one must not hold up the others (C-036). */
export const HEALTH_LIMIT_MS = 2_000;
/** One token of an engine that has been up for a while, behind the tasks of others. */
const PROBE_LIMIT_MS = 30_000;

/** True when the engine says that it is healthy, in time. */
export async function answersHealth(adapter: EngineAdapter): Promise<boolean> {
  try {
    return await isHealthy(adapter, AbortSignal.timeout(HEALTH_LIMIT_MS));
  } catch {
    return false;
  }
}

/** Why the engine generates no token; undefined when it does. */
export async function generates(adapter: EngineAdapter): Promise<string | undefined> {
  try {
    await probeWork(adapter, AbortSignal.timeout(PROBE_LIMIT_MS));
    return undefined;
  } catch (err) {
    return `it generates no token: ${err instanceof Error ? err.message : String(err)}`;
  }
}
