/** Refusals in the schemas of routes: all of them have one body. */
import { errorEnvelope } from '../../contracts/errors.js';

/** Statuses with which a route may refuse. */
export type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 410 | 413 | 415 | 429 | 500 | 503;

/** Every route with a key can refuse so. */
const KEYED = [401, 403, 500] as const;

/** Response schemas of a route that needs a key and may refuse with `statuses` too. */
export function refusals<const S extends RefusalStatus>(...statuses: S[]) {
  return bodies([...statuses, ...KEYED]);
}

/** Response schemas of a route without a key. */
export function keylessRefusals<const S extends RefusalStatus>(...statuses: S[]) {
  return bodies(statuses);
}

function bodies<S extends RefusalStatus>(statuses: readonly S[]): Record<S, typeof errorEnvelope> {
  const entries = statuses.map((status) => [status, errorEnvelope] as const);
  return Object.fromEntries(entries) as Record<S, typeof errorEnvelope>; // fromEntries forgets the keys.
}
