/** API keys that are kept in the database: made, listed and revoked by operators. */
import { z } from 'zod';
import { KEY_ROLES } from '../domain/access.js';

/** Printable and without line ends: names stand in lists and logs. */
const name = z.string().regex(/^[\x20-\x7e]{1,128}$/, 'must be 1 to 128 printable characters');
/** Requests a minute; a key that may ask for more is not limited. */
const rateLimit = z.int().min(1).max(1_000_000);

/** Body of `POST /v2/keys`. */
export const keyRequest = z
  .object({
    name: name.meta({ description: 'whom or what the key is for' }),
    role: z.enum(KEY_ROLES),
    rate_limit_per_minute: rateLimit.optional().meta({
      description: 'requests a minute; without it `DROVER_KEY_RATE_LIMIT` counts',
    }),
  })
  .meta({ id: 'KeyRequest' });

/** Request of a key. */
export type KeyRequest = z.infer<typeof keyRequest>;

/** A key, but for itself. */
export const keyEntry = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(KEY_ROLES),
    fingerprint: z.string().meta({ description: 'how logs name it: `token:<fingerprint>`' }),
    rate_limit_per_minute: z.int().nullable(),
    created_ms: z.int(),
    last_used_ms: z.int().nullable().meta({ description: 'to the minute' }),
    revoked_ms: z.int().nullable(),
  })
  .meta({ id: 'ApiKey' });

/** Entry of a key. */
export type KeyEntry = z.infer<typeof keyEntry>;

/** Answer to `POST /v2/keys`. */
export const keyMade = keyEntry
  .extend({ key: z.string().meta({ description: 'the key itself, told this once' }) })
  .meta({ id: 'NewApiKey' });

/** Answer to `POST /v2/keys`, its type. */
export type KeyMade = z.infer<typeof keyMade>;

/** Answer to `GET /v2/keys`. */
export const keyList = z.object({ keys: z.array(keyEntry) }).meta({ id: 'ApiKeys' });
