/** What travels with a request through our own code: its id, its logger, who sent it. */
import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { traceOf } from '../contracts/trace.js';
import { DEADLINE_HEADER } from '../domain/deadline.js';
import type { CallContext } from './clients/node-link.js';

/** A request's context; it is a call context too, so that calls to other processes carry the same id. */
export interface RequestContext extends CallContext {
  log: FastifyBaseLogger;
  /** `token:<fp6>` of the caller's key. */
  identity: string | null;
  /** What its `X-Request-Deadline` says. */
  deadline?: string | undefined;
}

/** The context of a Fastify request. */
export function contextOf(request: FastifyRequest): RequestContext {
  const { id, log, identity, headers } = request;
  const deadline = headers[DEADLINE_HEADER];
  return {
    ...{ correlationId: id, trace: traceOf(headers), log, identity },
    deadline: typeof deadline === 'string' ? deadline : undefined,
  };
}
