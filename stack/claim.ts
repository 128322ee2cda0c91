/** Before a stack starts: is there one already, and did a killed one leave something behind? */
import { setTimeout as pause } from 'node:timers/promises';
import type { AskApi } from './ask-api.js';
import { endStack } from './end-stack.js';
import type { Places } from './places.js';
import {
  claimStack,
  identify,
  isRunning,
  readStack,
  removeStack,
  type StackRecord,
  type StackUrls,
} from './stack-record.js';
import { StackError, type Say } from './stack-error.js';

/** Between two looks at another start, or at a guardian at work. */
const LOOK_MS = 250;
/** A first start may build Temporal, which takes minutes. */
const OTHER_START_LIMIT_MS = 20 * 60_000;
/** The guardian's own ladder: all graces together. */
const GUARDIAN_LIMIT_MS = 75_000;
/** A live API answers at once. */
const HEALTH_LIMIT_MS = 3_000;

/** Either the stack is ours to start, or one is live. */
export type Claim = { live: StackUrls } | { claimed: StackRecord };

/**
 * Claims the state folder for a stack. Waits for another start that is under way; ends what a killed one left.
 * @throws StackError when a stack runs that does not answer
 */
export async function claim(
  places: Places,
  say: Say,
  signal: AbortSignal,
  ask: AskApi = fetch,
): Promise<Claim> {
  for (;;) {
    signal.throwIfAborted();
    const mine = await newRecord();
    if (await claimStack(places.stackFile, mine)) return { claimed: mine };
    const found = await readStack(places.stackFile);
    if (found === undefined) continue; // It ended between the two calls.
    if (found !== 'unreadable' && (await isRunning(found.owner))) {
      const live = await awaitOther(places, found, { say, signal, ask });
      if (live !== undefined) return { live };
    } else {
      await cleanUp(places, found, say, signal);
    }
  }
}

async function newRecord(): Promise<StackRecord> {
  const owner = await identify('stack', process.pid);
  if (owner === undefined) throw new Error('this process is not in the process table');
  return { phase: 'starting', owner, guardian: null, urls: null, processes: [] };
}

/** The URLs of the other stack once it is up; undefined when it is gone instead. */
async function awaitOther(
  places: Places,
  first: StackRecord,
  { say, signal, ask }: { say: Say; signal: AbortSignal; ask: AskApi },
): Promise<StackUrls | undefined> {
  const { owner } = first;
  if (first.phase === 'starting') say(`another start (process ${owner.pid}) is under way; waiting for it`);
  const giveUpAt = Date.now() + OTHER_START_LIMIT_MS;
  for (;;) {
    const now = await readStack(places.stackFile);
    if (now === undefined || now === 'unreadable' || !(await isRunning(owner))) return undefined;
    if (now.phase === 'up' && now.urls !== null) return healthy(now.urls, owner.pid, places, ask);
    if (Date.now() > giveUpAt)
      throw new StackError(`process ${owner.pid} is still starting; end it and start again`);
    await pause(LOOK_MS, undefined, { signal });
  }
}

async function healthy(urls: StackUrls, pid: number, places: Places, ask: AskApi): Promise<StackUrls> {
  try {
    const response = await ask(`${urls.api}/healthz`, { signal: AbortSignal.timeout(HEALTH_LIMIT_MS) });
    if (response.ok) return urls;
  } catch {
    // Refused or silent: told below.
  }
  throw new StackError(
    `a stack runs (process ${pid}) but its API does not answer at ${urls.api}; see ${places.logFile('api')}, or end it with "kill ${pid}"`,
  );
}

/** Lets a guardian that is at work finish, ends what is left and takes the record away. */
async function cleanUp(
  places: Places,
  found: StackRecord | 'unreadable',
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  if (found === 'unreadable') {
    say(`${places.stackFile} cannot be read and is set aside; end by hand what may run from before`);
    return removeStack(places.stackFile, found);
  }
  say('the last stack was killed; ending what it left');
  const giveUpAt = Date.now() + GUARDIAN_LIMIT_MS;
  while (found.guardian !== null && (await isRunning(found.guardian)) && Date.now() < giveUpAt) {
    await pause(LOOK_MS, undefined, { signal });
  }
  const ended = await endStack(found.processes, { nodeDir: places.nodeDir });
  if (ended.length > 0) say(`ended ${ended.join(', ')}`);
  await removeStack(places.stackFile, found);
}
