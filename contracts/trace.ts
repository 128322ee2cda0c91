/** Ids by which a caller's own tracing finds its request again (observability 5): read, passed on and logged, never made up. */
import { z } from 'zod';

/** Headers that bring and carry them. */
export const TRACE_HEADERS = {
  trace_id: 'x-trace-id',
  span_id: 'x-span-id',
  parent_span_id: 'x-parent-span-id',
  traceparent: 'traceparent',
} as const;

/** Printable and short: anything else could forge log lines or headers (B-COR-008). */
const usable = z.string().regex(/^[\x21-\x7e]{1,128}$/);

/** The ids of a request; what its caller did not say is absent. */
export const traceIds = z.object({
  trace_id: usable.optional(),
  span_id: usable.optional(),
  parent_span_id: usable.optional(),
  traceparent: usable.optional().meta({ description: 'the W3C header as it came' }),
});

/** Trace ids' type. */
export type TraceIds = z.infer<typeof traceIds>;

/** Version 00 of https://www.w3.org/TR/trace-context/: neither id may be all zeros. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/;

/**
 * The ids that a request brought. Its own headers go before `traceparent`, whose trace and span (the caller's, so our parent)
 * fill in what they leave out (B-COR-001, B-COR-007). What cannot be used counts as missing.
 */
export function traceOf(headers: Readonly<Record<string, string | string[] | undefined>>): TraceIds {
  const ids: TraceIds = {};
  for (const [name, header] of entries()) {
    const value = usable.safeParse(headers[header]);
    if (value.success) ids[name] = value.data;
  }
  const [, traceId, spanId] = TRACEPARENT.exec(ids.traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) delete ids.traceparent;
  else return { trace_id: traceId, parent_span_id: spanId, ...ids };
  return ids;
}

/** The same as headers of a call that is made for this request; what is not known is not sent (B-COR-002). */
export function traceHeaders(ids: TraceIds): Record<string, string> {
  const known = entries().flatMap(([name, header]) => {
    const value = ids[name];
    return value === undefined ? [] : [[header, value] as const];
  });
  return Object.fromEntries(known);
}

function entries() {
  return Object.entries(TRACE_HEADERS) as [keyof TraceIds, string][];
}
