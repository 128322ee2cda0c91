/** What operators do with keys: make, list, revoke. */
import { DroverError } from '../../contracts/errors.js';
import type { KeyEntry, KeyMade, KeyRequest } from '../../contracts/key.js';
import { newApiKey } from '../../security/api-key.js';
import { fingerprintOfDigest } from '../../security/constant-time.js';
import type { KeyRecord, Keys } from '../../store/keys.js';
import type { KnownKeys } from './known-keys.js';

/** What the book works with. */
export interface KeyBookDeps {
  keys: Keys;
  known: Pick<KnownKeys, 'refresh'>;
  now: () => number;
}

/** The keys as operators see them. */
export interface KeyBook {
  /** @throws DroverError KEY_LIMIT */
  make: (request: KeyRequest) => Promise<KeyMade>;
  list: () => Promise<KeyEntry[]>;
  /** Again changes nothing. @throws DroverError KEY_NOT_FOUND */
  revoke: (id: string) => Promise<KeyEntry>;
}

/** Every API keeps all that hold in memory; a person or a program has one. */
const MOST_KEYS = 1_000;
/** So long a revoked key is listed: whoever wonders why it is refused asks within weeks. */
const REVOKED_LISTED_MS = 30 * 86_400_000;

/** Builds the book. */
export function createKeyBook({ keys, known, now }: KeyBookDeps): KeyBook {
  return {
    async make({ name, role, rate_limit_per_minute = null }) {
      if ((await keys.valid()).length >= MOST_KEYS) {
        throw new DroverError('KEY_LIMIT', `there are ${MOST_KEYS} keys; revoke one that nobody uses`);
      }
      const { id, key, digest } = newApiKey();
      const made = await keys.add({ id, name, role, digest, rate_limit_per_minute });
      await known.refresh();
      return { ...entryOf(made), key };
    },
    list: async () => (await keys.list()).map(entryOf),
    async revoke(id) {
      const revoked = await keys.revoke(id);
      if (revoked === undefined) throw new DroverError('KEY_NOT_FOUND', 'there is no such key');
      await known.refresh();
      await keys.forget(now() - REVOKED_LISTED_MS);
      return entryOf(revoked);
    },
  };
}

function entryOf({ digest, ...key }: KeyRecord): KeyEntry {
  return { ...key, fingerprint: fingerprintOfDigest(digest) };
}
