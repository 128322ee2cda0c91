/**
 * One id follows a request through everything (control-plane 1). Fastify's request id *is* the correlation id, so
 * `request.id` and the request's logger have it; it stands on every answer, also on the refused and the malformed.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { traceOf } from '../../contracts/trace.js';
import { shownHeaders } from '../../security/shown-headers.js';

/** Header that brings the id and takes it back. */
export const CORRELATION_HEADER = 'x-correlation-id';
/** The name under which OpenAI's clients keep the same id. */
const REQUEST_ID_HEADER = 'x-request-id';

/** Printable, at most 128 characters (B-MW-005): anything else could forge log lines or headers. */
const USABLE = /^[\x20-\x7e\xa0-\xff]{1,128}$/;

/** The id that the request brought, or a fresh UUIDv4 where it brought none that can be used. */
export function correlationIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers[CORRELATION_HEADER];
  return typeof given === 'string' && USABLE.test(given) ? given : randomUUID();
}

/** The request as it came, for whoever looks for why it was not understood; keys are shown by their fingerprints. */
function tellRequest({ log, method, headers, routeOptions: { url: route } }: FastifyRequest): void {
  log.debug({ event: 'request', method, route, headers: shownHeaders(headers) }, 'request');
}

/** Puts the id on every answer; registered before all other plugins, so that it is there when they refuse. */
export const correlationId = fp(
  (app, _options, done) => {
    app.addHook('onRequest', (request, reply, next) => {
      void reply.header(CORRELATION_HEADER, request.id);
      void reply.header(REQUEST_ID_HEADER, request.id);
      const { traceparent: _, ...trace } = traceOf(request.headers);
      if (Object.keys(trace).length > 0) request.log = reply.log = request.log.child(trace);
      if (request.log.level === 'debug' || request.log.level === 'trace') tellRequest(request);
      next();
    });
    done();
  },
  { name: 'correlation-id', fastify: '5.x' },
);
