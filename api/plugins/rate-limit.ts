/** A limit of requests a key (B-DP-053): each API counts by itself, in windows of a minute. */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { DroverError } from '../../contracts/errors.js';

/** What keys may do that have no limit of their own. */
export interface KeyRateLimitOptions {
  /** Requests a minute; undefined: no limit. */
  perMinute: number | undefined;
}

const WINDOW_MS = 60_000;
/** Keys whose requests are counted at once; beyond, the one that was used longest ago is forgotten. */
const MOST_KEYS = 10_000;
/** Names the limiter in the refusal. */
const POLICY = 'key-rate-limit';
const NO_HEADERS = {
  'x-ratelimit-limit': false,
  'x-ratelimit-remaining': false,
  'x-ratelimit-reset': false,
  'retry-after': false,
};

/** Refuses keys that ask too often; after them routes are registered. */
export const keyRateLimit = fp<KeyRateLimitOptions>(
  async (app: FastifyInstance, { perMinute }) => {
    const limitOf = ({ caller }: FastifyRequest) =>
      caller?.keyId == null ? undefined : (caller.ratePerMinute ?? perMinute);
    await app.register(rateLimit, {
      timeWindow: WINDOW_MS,
      cache: MOST_KEYS,
      allowList: (request) => limitOf(request) === undefined,
      max: (request) => limitOf(request) ?? 0,
      keyGenerator: ({ caller }) => caller?.keyId ?? '',
      addHeaders: NO_HEADERS,
      addHeadersOnExceeding: NO_HEADERS,
      errorResponseBuilder: (_request, { max, ttl }) =>
        new DroverError('RATE_LIMITED', `the key may make ${max} requests a minute`, {
          retry_after_ms: Math.max(1, Math.ceil(ttl)),
          policy_label: POLICY,
        }),
    });
  },
  { name: 'key-rate-limit', fastify: '5.x', dependencies: ['auth'] },
);
