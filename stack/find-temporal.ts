/** The Temporal program, found or fetched by the set-up's own search, which the tests use too. */
import { runTool } from '../activities/process/run.js';
import { PROGRAMS } from './places.js';
import { StackError, type Say } from './stack-error.js';

/** The search bounds each of its ways itself; together they take less than this. */
const FIND_LIMIT_MS = 20 * 60_000;

/**
 * Path of the Temporal CLI; says so before it takes long.
 * @throws StackError with what to install when there is no way to it
 */
export async function findTemporal(say: Say, signal: AbortSignal): Promise<string> {
  const options = { timeoutMs: FIND_LIMIT_MS, signal };
  const looked = await runTool(process.execPath, [PROGRAMS.findTemporal, '--look'], options);
  const there = looked.stdout.trim();
  if (there !== '') return there;
  signal.throwIfAborted();
  say(
    'Temporal is neither on PATH nor in the cache: downloading it, or building it with Go (about 3 minutes, once)',
  );
  const found = await runTool(process.execPath, [PROGRAMS.findTemporal], options);
  signal.throwIfAborted();
  if (!found.ok) throw new StackError(found.stderr.trim() || found.outcome);
  return found.stdout.trim();
}
