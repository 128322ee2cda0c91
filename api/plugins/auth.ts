/**
 * Who may call: `X-API-Key` or `Authorization: Bearer`, compared in constant time (control-plane 2, C-110). Every route
 * needs a key, also those that do not exist, except the few that say `config: { keyless: true }` (C-187).
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { DroverError } from '../../contracts/errors.js';
import { mayCall, type KeyRole } from '../../domain/access.js';
import { fingerprint } from '../../security/constant-time.js';
import { hostName, isLoopback } from '../../security/loopback.js';
import type { Caller, KnownKeys } from '../keys/known-keys.js';

/** Who is let in. */
export interface AuthOptions {
  keys: Pick<KnownKeys, 'find'>;
  /** Programs on this machine need no key (B-AUTH-005). */
  optional: boolean;
  /** A proxy on this machine says in `Authorization` whom it has let in (B-AUTH-010). */
  trustProxy: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** `token:<fp6>` of the key that was accepted, `localhost` where none was needed; null on keyless routes (B-AUTH-008). */
    identity: string | null;
    /** The same with what its key may do. */
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    /** True where no key is asked for. */
    keyless?: boolean;
    /** Least that a key must be for; `operator` where nothing is said. */
    role?: KeyRole;
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
  (app: FastifyInstance, options, done) => {
    app.decorateRequest('identity', null);
    app.decorateRequest('caller', null);
    app.addHook('onRequest', async (request) => {
      const { keyless, role = 'operator' } = request.routeOptions.config;
      if (keyless === true) return;
      const caller = await callerOf(request, options);
      // Whoever has any key may learn that there is no such route.
      if (!request.is404 && !mayCall(caller.role, role)) {
        const refusal = new DroverError('FORBIDDEN_ROLE', `this is for keys of the role "${role}"`);
        throw refuse(request, refusal, caller.identity);
      }
      request.caller = caller;
      request.identity = caller.identity;
      app.noteAccess(request, caller.identity);
    });
    done();
  },
  { name: 'auth', fastify: '5.x', dependencies: ['errors', 'correlation-id', 'host-check', 'audit'] },
);

const LOCAL_PROGRAM: Caller = { identity: 'localhost', role: 'operator', keyId: null, ratePerMinute: null };

/** @throws DroverError MISSING_TOKEN, BAD_TOKEN or BAD_API_KEY */
async function callerOf(request: FastifyRequest, options: AuthOptions): Promise<Caller> {
  if (options.optional && !bringsKey(request) && isLocalProgram(request)) return LOCAL_PROGRAM;
  const apiKey = request.headers['x-api-key'];
  const secret = typeof apiKey === 'string' ? apiKey : bearerTokenOf(request.headers.authorization);
  if (secret === undefined || secret === '') {
    throw refuse(request, new DroverError('MISSING_TOKEN', 'a key is needed', HOW_TO_SEND));
  }
  const known = await options.keys.find(secret);
  const caller =
    known ?? (options.trustProxy && apiKey === undefined ? vouchedFor(request, secret) : undefined);
  const identity = `token:${fingerprint(secret)}`;
  if (caller === undefined) throw refuse(request, notAccepted(apiKey === undefined), identity);
  request.log.debug({ event: 'authenticated', identity }, 'authenticated');
  return caller;
}

function notAccepted(isBearer: boolean): DroverError {
  return isBearer
    ? new DroverError('BAD_TOKEN', 'the token is not accepted', { auth_code: BAD_TOKEN })
    : new DroverError('BAD_API_KEY', 'the key is not accepted');
}

/** Whom the proxy beside us has let in is a client: only keys of ours make an operator. */
function vouchedFor(request: FastifyRequest, token: string): Caller | undefined {
  const identity = `token:${fingerprint(token)}`;
  return isPeerHere(request) ? { identity, role: 'client', keyId: identity, ratePerMinute: null } : undefined;
}

function bringsKey({ headers }: FastifyRequest): boolean {
  return headers['x-api-key'] !== undefined || headers.authorization !== undefined;
}

/**
 * A program on this machine, that spoke to this machine by its own name. A proxy beside us speaks for others; and what a
 * page of another origin makes a browser send comes from here too.
 */
export function isLocalProgram(request: FastifyRequest): boolean {
  const { headers } = request;
  const { host, origin } = headers;
  const named = [host, origin?.replace(/^https?:\/\//, '')].filter((name) => name !== undefined);
  const isForwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
  return isPeerHere(request) && !isForwarded && named.every((name) => isLoopback(hostName(name)));
}

function isPeerHere({ socket }: FastifyRequest): boolean {
  return isLoopback((socket.remoteAddress ?? '').replace(/^::ffff:/, ''));
}

const HOW_TO_SEND = {
  auth_code: MISSING_TOKEN,
  hint: 'send it as "X-API-Key: <key>" or "Authorization: Bearer <key>"',
};

function refuse(request: FastifyRequest, refusal: DroverError, identity?: string): DroverError {
  const path = loggablePath(request);
  request.log.warn({ event: 'auth_failed', identity, path, code: refusal.code }, 'a key was refused');
  request.server.noteAccess(request, identity, refusal.code);
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
