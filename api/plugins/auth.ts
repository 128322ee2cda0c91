/**
 * Who may call: `X-API-Key` or `Authorization: Bearer`, compared in constant time (control-plane 2, C-110). Every route
 * needs a key, also those that do not exist, except the few that say `config: { keyless: true }` (C-187).
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { DroverError } from '../../contracts/errors.js';
import { hostName, isLoopback } from './host-check.js';
import { digestOfSecret, fingerprint, isAcceptedSecret } from '../../security/constant-time.js';

/** Who is let in. */
export interface AuthOptions {
  /** Accepted keys. */
  keys: readonly string[];
  /** Programs on this machine need no key (B-AUTH-005). */
  optional: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** `token:<fp6>` of the key that was accepted, `localhost` where none was needed; null on keyless routes (B-AUTH-008). */
    identity: string | null;
  }
  interface FastifyContextConfig {
    /** True where no key is asked for. */
    keyless?: boolean;
  }
}

const MISSING_TOKEN = 40_101;
const BAD_TOKEN = 40_102;
const LONGEST_HEADER = 8_192;
const LONGEST_LOGGED_PATH = 200;
/** Exactly this scheme, one or more spaces, a token of printable characters (B-AUTH-013). */
const BEARER = /^Bearer +([\x21-\x7e]+)$/;

/** Checks the key of every request. */
export const auth = fp<AuthOptions>(
  (app: FastifyInstance, { keys, optional }, done) => {
    const accepted = keys.map(digestOfSecret);
    app.decorateRequest('identity', null);
    app.addHook('onRequest', (request, _reply, next) => {
      if (request.routeOptions.config.keyless === true) return next();
      if (optional && !bringsKey(request) && isLocalProgram(request)) {
        request.identity = 'localhost';
        return next();
      }
      const refusal = check(request, (secret) => isAcceptedSecret(secret, accepted));
      next(refusal);
    });
    done();
  },
  { name: 'auth', fastify: '5.x', dependencies: ['errors', 'correlation-id', 'host-check'] },
);

function bringsKey({ headers }: FastifyRequest): boolean {
  return headers['x-api-key'] !== undefined || headers.authorization !== undefined;
}

/**
 * A program on this machine, that spoke to this machine by its own name. A proxy beside us speaks for others; and what a
 * page of another origin makes a browser send comes from here too.
 */
function isLocalProgram({ headers, socket }: FastifyRequest): boolean {
  const { host, origin } = headers;
  const named = [host, origin?.replace(/^https?:\/\//, '')].filter((name) => name !== undefined);
  const isForwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
  const isHere = isLoopback((socket.remoteAddress ?? '').replace(/^::ffff:/, ''));
  return isHere && !isForwarded && named.every((name) => isLoopback(hostName(name)));
}

function check(request: FastifyRequest, isAccepted: (secret: string) => boolean): DroverError | undefined {
  const apiKey = request.headers['x-api-key'];
  const secret = typeof apiKey === 'string' ? apiKey : bearerTokenOf(request.headers.authorization);
  if (secret === undefined || secret === '') {
    return refuse(request, new DroverError('MISSING_TOKEN', 'a key is needed', HOW_TO_SEND));
  }
  const identity = `token:${fingerprint(secret)}`;
  if (isAccepted(secret)) {
    request.identity = identity;
    request.log.debug({ event: 'authenticated', identity }, 'authenticated');
    return undefined;
  }
  const refusal =
    apiKey === undefined
      ? new DroverError('BAD_TOKEN', 'the token is not accepted', { auth_code: BAD_TOKEN })
      : new DroverError('BAD_API_KEY', 'the key is not accepted');
  return refuse(request, refusal, identity);
}

const HOW_TO_SEND = {
  auth_code: MISSING_TOKEN,
  hint: 'send it as "X-API-Key: <key>" or "Authorization: Bearer <key>"',
};

function refuse(request: FastifyRequest, refusal: DroverError, identity?: string): DroverError {
  const path = loggablePath(request);
  request.log.warn({ event: 'auth_failed', identity, path, code: refusal.code }, 'a key was refused');
  return refusal;
}

/** The route's pattern: an address may hold a secret, and only the codec's does. */
function loggablePath({ routeOptions, url }: FastifyRequest): string {
  const path = routeOptions.url ?? url.split('?', 1)[0] ?? '';
  return path.startsWith('/codec/') ? '/codec/' : path.slice(0, LONGEST_LOGGED_PATH);
}

function bearerTokenOf(header: string | undefined): string | undefined {
  if (header === undefined || header.length > LONGEST_HEADER) return undefined;
  return BEARER.exec(header.trim())?.[1];
}
