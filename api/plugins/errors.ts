/** Every refusal and failure leaves through here: one handler, one envelope (data-plane 10). */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { DroverError, retryAfterSeconds, type ErrorEnvelope } from '../../contracts/errors.js';
import { asTaskError } from '../../contracts/task-errors.js';
import { anthropicErrorOf, speaksAnthropic } from '../anthropic/anthropic-error.js';
import { openAiErrorOf, speaksOpenAi } from '../openai/openai-error.js';
import { invalidParams } from './invalid-params.js';
import { createInvalidRequests, type InvalidRequestLimit } from './invalid-requests.js';

/** Advice where a refusal brings none of its own: try again in a second (observability: 429 advice). */
const DEFAULT_RETRY_AFTER_MS = 1_000;
/** Statuses of requests that no server could have served. */
const INVALID: ReadonlySet<number> = new Set([400, 413, 414, 415, 431]);
const UNEXPECTED = 'unexpected error; the log has it under this correlation id';

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers with the envelope of an error; for what fails before a route is found. */
    answerWithError: (err: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply;
  }
}

/** Sets the error and not-found handlers. */
export const errors = fp<InvalidRequestLimit>(
  (app: FastifyInstance, limit, done) => {
    const invalid = createInvalidRequests(limit);
    const answerWithError = (err: unknown, request: FastifyRequest, reply: FastifyReply) => {
      const error = toDroverError(err);
      const known = isOfTasks(request.url) ? asTaskError(error) : error;
      const waitMs = INVALID.has(statusOfAnswer(known)) ? invalid.note(clientOf(request)) : undefined;
      return answer(waitMs === undefined ? known : tooManyInvalid(waitMs), request, reply);
    };
    app.decorate('answerWithError', answerWithError);
    app.setErrorHandler(answerWithError);
    app.setNotFoundHandler((request, reply) =>
      answerWithError(new DroverError('ROUTE_NOT_FOUND', 'there is no such route'), request, reply),
    );
    done();
  },
  { name: 'errors', fastify: '5.x' },
);

/** The error as a client may read it; what is not ours becomes INTERNAL, or INVALID_PARAMS where the request was wrong. */
export function toDroverError(err: unknown): DroverError {
  if (err instanceof DroverError) return err;
  if (hasZodFastifySchemaValidationErrors(err)) {
    return invalidParams(
      err.validation.map(({ instancePath, keyword, message }) => ({
        path: instancePath.split('/').filter((part) => part !== ''),
        code: keyword,
        message: message ?? 'is not valid',
      })),
    );
  }
  const message = messageForStatus(httpStatusOf(err), codeOf(err));
  return message === undefined
    ? new DroverError('INTERNAL', UNEXPECTED, {}, { cause: err })
    : new DroverError('INVALID_PARAMS', message, {}, { cause: err });
}

/** Its key; where there is none, where it calls from. */
function clientOf({ caller, ip }: FastifyRequest): string {
  return caller?.keyId ?? ip;
}

function tooManyInvalid(waitMs: number): DroverError {
  return new DroverError('RATE_LIMITED', 'too many invalid requests', {
    retry_after_ms: Math.max(1, Math.ceil(waitMs)),
    policy_label: 'invalid-requests',
  });
}

function answer(known: DroverError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = statusOfAnswer(known);
  if (status >= 500 && known.code === 'INTERNAL')
    request.log.error({ err: known.cause ?? known, event: 'request_failed' }, 'request failed');
  else request.log.debug({ event: 'refused', code: known.code, status }, 'request refused');
  const envelope = known.toEnvelope(request.id);
  if (status === 429 || status === 503) {
    envelope.retry_after_ms ??= DEFAULT_RETRY_AFTER_MS;
    void reply.header('retry-after', String(retryAfterSeconds(envelope.retry_after_ms)));
    if (status === 429) void reply.header('x-backoff-ms', String(envelope.retry_after_ms));
    if (speaksOpenAi(request.url)) void reply.header('retry-after-ms', String(envelope.retry_after_ms));
  }
  if (status === 401) void reply.header('www-authenticate', 'Bearer');
  // Past the response schemas: this answer must not fail in its turn.
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(inWordsOf(request.url, envelope));
}

/** True for a path that asks for work of an engine, by whichever protocol, or for what became of it. */
function isOfTasks(url: string): boolean {
  return /^\/v2\/tasks(?:[/?]|$)|^\/v1\/(?:chat\/completions|completions|responses|embeddings|rerank|messages)(?:[/?]|$)/.test(
    url,
  );
}

/** The body of an error as the clients of this path read it. */
function inWordsOf(url: string, envelope: ErrorEnvelope): object {
  if (speaksAnthropic(url)) return anthropicErrorOf(envelope);
  return speaksOpenAi(url) ? openAiErrorOf(envelope) : envelope;
}

/** The code's own status; only what HTTP itself refuses keeps HTTP's (413, 414, 415, 431). */
function statusOfAnswer(known: DroverError): number {
  const http = known.code === 'INVALID_PARAMS' ? httpStatusOf(known.cause) : undefined;
  return http !== undefined && http >= 400 && http < 500 ? http : known.status;
}

function messageForStatus(status: number | undefined, code: string): string | undefined {
  if (status === undefined || status < 400 || status >= 500) return undefined;
  if (status === 413) return 'the body is larger than this server accepts';
  if (status === 414) return 'the address is too long';
  if (status === 415) return 'the body must be application/json';
  if (code === 'FST_ERR_BAD_URL') return 'the address is not valid';
  if (code.startsWith('FST_ERR_CTP') || code === '') return 'the body is not valid JSON';
  return 'the request is not valid';
}

function httpStatusOf(err: unknown): number | undefined {
  return err instanceof Error && 'statusCode' in err && typeof err.statusCode === 'number'
    ? err.statusCode
    : undefined;
}

function codeOf(err: unknown): string {
  return err instanceof Error && 'code' in err ? String(err.code) : '';
}
