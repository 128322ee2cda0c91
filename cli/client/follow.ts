/** A stream followed over all its connections: one that is cut goes on after the last event that came. */
import { CliError, type StreamKind } from './cli-error.js';
import { readEvents, StreamFailure, type StreamEvent, type StreamLimits } from './event-stream.js';
import type { ApiHttp } from './http.js';
import { RETRY_PROFILES } from '../../domain/retry-profiles.js';
import { retryDelayMs } from './retry.js';

/** What an event was: the stream's last; something new; nothing new; a reason to connect again. */
export type Taken = 'last' | 'new' | 'nothing' | 'again';

/** What is followed. */
export interface FollowWish {
  kind: StreamKind;
  path: string;
  limits: StreamLimits;
  /** Told of every event. @throws CliError where the event is a failure */
  take: (event: StreamEvent) => Taken | Promise<Taken>;
  /** Told when a connection was lost and is made again. */
  onCut?: (reason: string) => void;
}

/** How far a stream has come. */
interface Progress {
  lastEventId: string | undefined;
  /** What came last that was new: a stream that begins with how things stand says it again at each connection. */
  last: StreamEvent | undefined;
  /** Attempts since something new came. */
  attempts: number;
  /** When the stream was last seen alive; undefined: never. */
  aliveAtMs: number | undefined;
}

/** A connection without news that lasted so long was alive, where its keep-alives count. */
const LASTING_MS = 2_000;

/**
 * Follows a stream until its last event. Before anything has come the attempts are those of any call; afterwards a cut
 * stream is resumed as long as its idle limit allows.
 * @throws CliError `<kind>_*`, or what `take` throws; Interrupted
 */
export async function followStream(http: ApiHttp, wish: FollowWish): Promise<void> {
  const progress: Progress = { lastEventId: undefined, last: undefined, attempts: 0, aliveAtMs: undefined };
  for (;;) {
    progress.attempts += 1;
    const failure = await readOnce(http, wish, progress);
    if (failure === undefined) return;
    const delayMs = failure.passing ? resumeDelayMs(http, wish, progress, failure) : undefined;
    if (delayMs === undefined) throw failure.error;
    if (progress.attempts === 0) wish.onCut?.(failure.error.message);
    await http.wait(delayMs);
  }
}

/** Reads one connection; undefined when the stream has had its last event. */
async function readOnce(
  http: ApiHttp,
  wish: FollowWish,
  progress: Progress,
): Promise<StreamFailure | undefined> {
  const { kind, path, limits, take } = wish;
  const openedAtMs = Date.now();
  try {
    for await (const event of readEvents(http, { kind, path, limits, lastEventId: progress.lastEventId })) {
      const taken = await take(event);
      if (taken === 'last') return undefined;
      if (taken === 'again') return new StreamFailure(cut(kind, path, event.data), true);
      if (taken === 'nothing' || isSame(event, progress.last)) continue;
      Object.assign(progress, { aliveAtMs: Date.now(), attempts: 0, last: event });
      if (event.id !== undefined) progress.lastEventId = event.id;
    }
    return new StreamFailure(cut(kind, path), true);
  } catch (err) {
    if (err instanceof StreamFailure) return err;
    throw err;
  } finally {
    const lasted = limits.commentsCount && Date.now() - openedAtMs >= LASTING_MS;
    if (lasted) Object.assign(progress, { aliveAtMs: Date.now(), attempts: 0 });
  }
}

function resumeDelayMs(
  http: ApiHttp,
  { limits }: FollowWish,
  { aliveAtMs, attempts }: Progress,
  { retryAfterMs }: StreamFailure,
): number | undefined {
  const remainingMs = aliveAtMs === undefined ? limits.connectMs : aliveAtMs + limits.idleMs - Date.now();
  const profile = aliveAtMs === undefined ? RETRY_PROFILES.cli : RETRY_PROFILES.resume;
  return retryDelayMs(profile, { attempt: Math.max(1, attempts), retryAfterMs, remainingMs }, http.chance());
}

function isSame(event: StreamEvent, last: StreamEvent | undefined): boolean {
  return event.data === last?.data && event.event === last.event && event.id === last.id;
}

/** A stream that ends before its last event has failed (B-SSEC-005). */
function cut(kind: StreamKind, path: string, said?: string): CliError {
  const details = { path, expected: 'a last event', actual: said ?? 'the connection was closed' };
  return CliError.of(`${kind}_ERROR`, 'the stream ended before its last event', { details });
}
