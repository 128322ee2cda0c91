/**
 * From a pool to those who watch it. A pool is looked at twice a second while somebody watches, once for all of its
 * readers; each gets what it has not had. Nothing is kept for a reader but the places of what it got.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { OPERATION_KINDS } from '../../domain/identity.js';
import type { CallContext } from '../clients/node-link.js';
import type { EventStream } from '../plugins/sse.js';
import { comparePlaces, type EventPlace, type LookAtPool, type PoolLook } from '../tasks/pool-events.js';

/** Between two looks at a pool. */
const LOOK_EVERY_MS = 500;

/** Places that are kept for a reader: a pool has the events of three runs at most at a time, some thirty. */
const REMEMBERED = 1_000;

/** Watched pools. */
export interface PoolWatch {
  /**
   * Serves one reader until it leaves.
   * @param after - the last event that it has
   */
  relay(poolId: string, look: PoolLook, stream: EventStream, after: EventPlace | undefined): void;
}

/** What the watch uses. */
export interface PoolWatchDeps {
  look: LookAtPool;
  /** Of the looks that nobody's request asks for. */
  call: CallContext;
}

/** Builds the watch; it looks at nothing until there is a reader. */
export function createPoolWatch({ look, call }: PoolWatchDeps): PoolWatch {
  const readersOf = new Map<string, Set<PoolReader>>();

  async function watch(poolId: string, readers: Set<PoolReader>): Promise<void> {
    while (readers.size > 0) {
      await delay(LOOK_EVERY_MS, undefined, { ref: false });
      // What is away now may be back at the next look; the stream's comments keep its readers.
      const seen = await look(poolId, call).catch(() => undefined);
      if (seen !== undefined) for (const reader of readers) reader.tell(seen);
    }
    readersOf.delete(poolId);
  }

  return {
    relay(poolId, first, stream, after) {
      const reader = new PoolReader(stream, after);
      reader.tell(first);
      const watched = readersOf.get(poolId);
      const readers = watched ?? new Set();
      readers.add(reader);
      stream.onClose(() => readers.delete(reader));
      if (watched !== undefined) return;
      readersOf.set(poolId, readers);
      void watch(poolId, readers);
    },
  };
}

/** `id:` of an event. */
export function formatPlace({ atMs, kind, index }: EventPlace): string {
  return `${atMs}.${kind}.${index}`;
}

/** The event that an `id:` names; undefined where it is none. */
export function readPlace(id: string): EventPlace | undefined {
  const [atMs, verb, index, ...more] = id.split('.');
  const kind = OPERATION_KINDS.find((known) => known === verb);
  const numbers = [atMs, index].map((text) => (/^\d{1,15}$/.test(text ?? '') ? Number(text) : NaN));
  const [at = NaN, nth = NaN] = numbers;
  if (kind === undefined || Number.isNaN(at + nth) || more.length > 0) return undefined;
  return { atMs: at, kind, index: nth };
}

class PoolReader {
  private readonly told = new Set<string>();
  private status = '';

  constructor(
    private readonly stream: EventStream,
    private readonly after: EventPlace | undefined,
  ) {}

  /** A reader that does not read now is told at a later look. */
  tell({ health, events }: PoolLook): void {
    if (this.stream.isBlocked() || this.stream.isClosed()) return;
    let text = '';
    for (const { type, data, place } of events) {
      const id = formatPlace(place);
      if (this.told.has(id)) continue;
      this.remember(id);
      if (this.after !== undefined && comparePlaces(place, this.after) <= 0) continue;
      text += `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
    }
    if (health !== undefined) {
      // A heartbeat alone is no news.
      const status = JSON.stringify({ ...health, last_heartbeat_ms: null });
      if (status !== this.status) text += `event: status\ndata: ${JSON.stringify(health)}\n\n`;
      this.status = status;
    }
    if (text !== '') this.stream.write(text);
  }

  private remember(id: string): void {
    this.told.add(id);
    const [oldest] = this.told;
    if (this.told.size > REMEMBERED && oldest !== undefined) this.told.delete(oldest);
  }
}
