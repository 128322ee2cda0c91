/** Pages of named origins may call the API (B-CFG-025); without names no page may. Only where a key is sent is it of use. */
import fastifyCors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

/** Whose pages. */
export interface CorsOptions {
  origins: readonly string[];
}

const ALLOWED = [
  ...['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID'],
  ...['X-API-Key', 'X-Correlation-Id', 'X-Session-Id', 'X-Trust-Policy'],
];
const EXPOSED = ['X-Correlation-Id', 'Retry-After', 'X-Backoff-Ms'];
/** A browser asks again after this. */
const MAX_AGE_SECONDS = 600;

/** Answers preflights and names the origin; before keys are asked for, which a preflight never has. */
export const cors = fp<CorsOptions>(
  async (app: FastifyInstance, { origins }) => {
    if (origins.length === 0) return;
    await app.register(fastifyCors, {
      // The codec endpoint has a page of its own.
      delegator: ({ url }, decide) =>
        decide(null, {
          origin: url.startsWith('/codec/') ? false : [...origins],
          methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
          allowedHeaders: ALLOWED,
          exposedHeaders: EXPOSED,
          maxAge: MAX_AGE_SECONDS,
          strictPreflight: false,
        }),
    });
  },
  { name: 'cors', fastify: '5.x', dependencies: ['correlation-id'] },
);
