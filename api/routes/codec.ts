/**
 * The codec endpoint of Temporal's web UI and command line: opens and seals payloads for an operator on this machine.
 * It exists only under a secret path, for loopback callers, and from a page only for the UI's own origin (design §2.6).
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { DroverError } from '../../contracts/errors.js';
import { sameSecret } from '../../security/constant-time.js';
import { isLoopback } from '../../security/loopback.js';

/** What the endpoint is given. */
export interface CodecRoutesOptions {
  codec: PayloadCodec;
  /** Part of the path; without it there is no endpoint. */
  secret: string;
  /** Origin of the UI; without it no page may call. */
  uiOrigin: string | undefined;
}

/** A page of the UI asks for many payloads at once, each of at most 2 MB and a third more in base64. */
const BODY_LIMIT_BYTES = 64 * 1024 * 1024;

const base64 = z.string();
const payloads = z.object({
  payloads: z
    .array(z.object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() }))
    .default([]),
});
type JsonPayloads = z.infer<typeof payloads>;

/** `POST` and `OPTIONS /codec/:secret/{encode,decode}`. */
export const codecRoutes: FastifyPluginCallbackZod<CodecRoutesOptions> = (app, options, done) => {
  const guard = (request: FastifyRequest, reply: FastifyReply, next: (err?: Error) => void) =>
    next(checkCaller(request, options.secret) ?? allowUi(request, reply, options.uiOrigin));
  for (const verb of ['encode', 'decode'] as const) {
    const url = `/codec/:secret/${verb}`;
    const config = { keyless: true };
    app.options(url, { config, onRequest: guard, schema: { hide: true } }, (_request, reply) =>
      reply.code(204).send(),
    );
    app.post(
      url,
      { config, onRequest: guard, bodyLimit: BODY_LIMIT_BYTES, schema: { hide: true, body: payloads } },
      async (request) => toJson(await options.codec[verb](fromJson(request.body))),
    );
  }
  done();
};

/** Whoever lacks the secret, or asks from elsewhere, learns nothing: no such route. */
function checkCaller(request: FastifyRequest, secret: string): Error | undefined {
  const { secret: given } = request.params as { secret: string }; // The hook is typed for any route.
  const address = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  if (sameSecret(given, secret) && isLoopback(address)) return undefined;
  request.server.noteAccess(request, undefined, 'BAD_CODEC_SECRET');
  return new DroverError('ROUTE_NOT_FOUND', 'there is no such route');
}

function allowUi(request: FastifyRequest, reply: FastifyReply, uiOrigin: string | undefined): undefined {
  void reply.header('vary', 'origin');
  if (uiOrigin === undefined || request.headers.origin !== uiOrigin) return undefined;
  void reply.headers({
    'access-control-allow-origin': uiOrigin,
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'content-type, x-namespace',
    'cross-origin-resource-policy': 'cross-origin',
  });
  return undefined;
}

function fromJson({ payloads: given }: JsonPayloads): Payload[] {
  return given.map(({ metadata = {}, data }) => ({
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
    ),
    data: Buffer.from(data ?? '', 'base64'),
  }));
}

function toJson(opened: Payload[]): JsonPayloads {
  return {
    payloads: opened.map(({ metadata, data }) => ({
      metadata: Object.fromEntries(
        Object.entries(metadata ?? {}).map(([key, value]) => [key, asBase64(value)]),
      ),
      data: asBase64(data),
    })),
  };
}

function asBase64(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64');
}
