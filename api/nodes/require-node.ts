/** Who speaks as a node: the bearer of the nodes' token, or of a key of the role `node` (B-NAPI-010, C-117). */
import type { FastifyRequest } from 'fastify';
import { DroverError } from '../../contracts/errors.js';
import { fingerprint, sameSecret } from '../../security/constant-time.js';
import type { KnownKeys } from '../keys/known-keys.js';

/** By what a node is known. */
export interface NodeGuardOptions {
  /** The token as it is now. */
  token: () => string;
  keys: Pick<KnownKeys, 'find'>;
}

/** Exactly this scheme, one or more blanks, a token of printable characters (B-AUTH-013). */
const BEARER = /^Bearer +([\x21-\x7e]{1,8192})$/;

/**
 * Builds the check of requests; it names their sender.
 * @param operators - true where keys of operators do as well
 */
export function requireNode({ token, keys }: NodeGuardOptions, { operators = false } = {}) {
  return async function onRequest(request: FastifyRequest): Promise<void> {
    const given = secretOf(request, operators);
    if (given === undefined)
      throw refuse(request, 'MISSING_TOKEN', 'the token of the nodes is needed', 40_101);
    request.identity = `token:${fingerprint(given)}`;
    if (sameSecret(given, token())) return;
    const role = (await keys.find(given))?.role;
    if (role === 'node' || (operators && role === 'operator')) return;
    throw refuse(request, 'BAD_TOKEN', 'the token is not accepted', 40_102);
  };
}

function secretOf({ headers }: FastifyRequest, operators: boolean): string | undefined {
  const key = headers['x-api-key'];
  if (operators && typeof key === 'string' && key !== '') return key;
  return BEARER.exec(headers.authorization ?? '')?.[1];
}

function refuse(
  request: FastifyRequest,
  code: 'MISSING_TOKEN' | 'BAD_TOKEN',
  message: string,
  auth_code: number,
): DroverError {
  const identity = request.identity ?? undefined;
  const path = request.routeOptions.url;
  request.log.warn({ event: 'auth_failed', identity, path, code }, 'a token was refused');
  request.server.noteAccess(request, identity, code);
  return new DroverError(code, message, { auth_code });
}
