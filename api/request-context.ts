/** What travels with a request through our own code: its id, its logger, who sent it. */
import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { traceOf } from '../contracts/trace.js';
import type { CallContext } from './clients/node-link.js';

/** A request's context; it is a call context too, so that calls to other processes carry the same id. */
export interface RequestContext extends CallContext {
  log: FastifyBaseLogger;
  /** `token:<fp6>` of the caller's key. */
  identity: string | null;
}

/** The context of a Fastify request. */
export function contextOf(request: FastifyRequest): RequestContext {
  return {
    correlationId: request.id,
    trace: traceOf(request.headers),
    log: request.log,
    identity: request.identity,
  };
}
