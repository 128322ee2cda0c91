/** The ids that follow one request (B-OBS-040): whatever is logged while a piece of work is carried out names them. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { traceHeaders, type TraceIds } from '../contracts/trace.js';

interface Correlated extends TraceIds {
  correlation_id: string;
}

const current = new AsyncLocalStorage<Correlated>();

/** Carries out work on behalf of the request with this id. @param trace - what its caller knows it by */
export function withCorrelation<T>(correlationId: string, work: () => T, trace: TraceIds = {}): T {
  return current.run({ ...trace, correlation_id: correlationId }, work);
}

/** Carries out work that no request asked for, such as a look of a watcher, under an id of its own (B-COR-006). */
export function withOwnCorrelation<T>(work: () => T): T {
  return withCorrelation(randomUUID(), work);
}

/** What a line of the log says of the request at hand; nothing outside of any. A copy: the logger adds a line's fields to it. */
export function correlationFields(): Partial<Correlated> {
  return { ...current.getStore() };
}

/** What a call to another process says of the request at hand (B-COR-002). */
export function correlationHeaders(): Record<string, string> {
  const { correlation_id, ...trace } = correlationFields();
  return {
    ...(correlation_id === undefined ? {} : { 'x-correlation-id': correlation_id }),
    ...traceHeaders(trace),
  };
}
