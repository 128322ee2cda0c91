/** The id that follows one request (B-OBS-040): whatever is logged while a piece of work is carried out names it. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

const current = new AsyncLocalStorage<{ correlation_id: string }>();

/** Carries out work on behalf of the request with this id. */
export function withCorrelation<T>(correlationId: string, work: () => T): T {
  return current.run({ correlation_id: correlationId }, work);
}

/** Carries out work that no request asked for, such as a look of a watcher, under an id of its own (B-COR-006). */
export function withOwnCorrelation<T>(work: () => T): T {
  return withCorrelation(randomUUID(), work);
}

/** What a line of the log says of the request at hand; nothing outside of any. A copy: the logger adds a line's fields to it. */
export function correlationFields(): { correlation_id?: string } {
  return { ...current.getStore() };
}
