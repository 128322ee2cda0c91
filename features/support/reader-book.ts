/** The readers of a scenario by name. One that left and came back has several visits; what it has is all of them. */
import type { EventReader } from './event-reader.js';

/** Readers of one scenario. */
export class ReaderBook {
  private readonly visits = new Map<string, EventReader[]>();
  private readonly lookedAt = new Set<EventReader>();
  private newest: string | undefined;

  /** Takes a visit in; the reader's earlier one is over, however it ended. */
  add(name: string, reader: EventReader): void {
    const earlier = this.visits.get(name) ?? [];
    for (const visit of earlier) {
      this.lookedAt.add(visit);
      visit.leave();
    }
    this.visits.set(name, [...earlier, reader]);
    this.newest = name;
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

  /** The scenario has looked at how this stream ended. */
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
    const open = [...this.visits].flatMap(([name, visits]) => visits.map((visit) => ({ name, visit })));
    return open
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
