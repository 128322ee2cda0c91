/** The readers of a scenario by name. One that left and came back has several visits; what it has is all of them. */
import type { ApiClient, OpenStream } from './api-client.js';
import type { EventReader, SseFrame } from './event-reader.js';

/** Readers of one scenario. */
export class ReaderBook {
  private readonly visits = new Map<string, EventReader[]>();
  private readonly lookedAt = new Set<EventReader>();
  private newest: string | undefined;

  /** @param idOf - the id of a task, by its name */
  constructor(
    private readonly client: () => ApiClient,
    private readonly idOf: (task: string) => string,
  ) {}

  /** Opens a task's stream; the reader is known by `reader`, or by the task's name. */
  async open(task: string, how: OpenStream = {}, reader = task): Promise<EventReader> {
    return this.enter(reader, await this.client().openEvents(this.idOf(task), how));
  }

  /** Opens a pool's stream, after an event that the reader has. */
  async watchPool(pool: string, reader: string, lastEventId?: string): Promise<EventReader> {
    return this.enter(reader, await this.client().openPoolEvents(pool, lastEventId));
  }

  private enter(reader: string, opened: EventReader): EventReader {
    const earlier = this.visits.get(reader) ?? [];
    for (const visit of earlier) {
      this.lookedAt.add(visit); // It is over, however it ended.
      visit.leave();
    }
    this.visits.set(reader, [...earlier, opened]);
    this.newest = reader;
    return opened;
  }

  /** Opens a task's stream and reads it to its end. */
  async readToEnd(task: string, how: OpenStream = {}, reader = task): Promise<EventReader> {
    const opened = await this.open(task, how, reader);
    await opened.waitForClose();
    return opened;
  }

  /** The reader leaves, and comes back with the id of the last frame it has. */
  resume(task: string, reader = task): Promise<EventReader> {
    // What still came on the old connection would come again on the new one.
    const before = this.lookAt(reader);
    before.leave();
    const { lastEventId } = before;
    return this.open(task, lastEventId === undefined ? {} : { lastEventId }, reader);
  }

  /** The reader's newest visit. @throws Error when the scenario has no such reader */
  of(name: string): EventReader {
    const reader = this.visits.get(name)?.at(-1);
    if (reader === undefined) throw new Error(`no reader "${name}" was opened`);
    return reader;
  }

  /** All visits of a reader, the first one first. */
  visitsOf(name: string): readonly EventReader[] {
    return this.visits.get(name) ?? [];
  }

  /** Name of the reader that came last. */
  get last(): string {
    if (this.newest === undefined) throw new Error('no reader was opened');
    return this.newest;
  }

  /** The first frame of a stream, once it has come. */
  firstFrame(name: string): Promise<SseFrame> {
    return this.of(name).waitForAny(() => true);
  }

  /** A reader whose `error` frame is the scenario's own business. */
  lookAt(name: string): EventReader {
    const reader = this.of(name);
    this.lookedAt.add(reader);
    return reader;
  }

  /** The scenario cancels this task itself, so that the end of its stream is no surprise. */
  expectEnd(name: string): void {
    for (const visit of this.visitsOf(name)) this.lookedAt.add(visit);
  }

  /** Errors at which nobody has looked. */
  unexpected(): string[] {
    const all = [...this.visits].flatMap(([name, visits]) => visits.map((visit) => ({ name, visit })));
    return all
      .filter(({ visit }) => !this.lookedAt.has(visit))
      .flatMap(({ name, visit }) => {
        if (visit.lastFrame?.event === 'error') return [`the stream of "${name}": ${visit.lastFrame.raw}`];
        if (visit.status >= 400) return [`the stream of "${name}": ${visit.status} ${visit.body}`];
        return visit.brokeOff ? [`the connection of "${name}" broke`] : [];
      });
  }

  /** Everybody leaves. */
  leaveAll(): void {
    for (const visit of [...this.visits.values()].flat()) visit.leave();
  }
}
