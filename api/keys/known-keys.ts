/**
 * Who a key belongs to. The keys of the settings are operators' and need nobody; those of the database are kept for a
 * second, and longer while it is away: whoever could work goes on (design §4).
 */
import type { KeyRole } from '../../domain/access.js';
import { apiKeyId, isApiKey } from '../../security/api-key.js';
import { digestOfSecret, fingerprint, isAcceptedSecret } from '../../security/constant-time.js';
import type { KeyRecord, Keys } from '../../store/keys.js';
import type { Logger } from '../../telemetry/logger.js';
import { noLongerThan } from '../no-longer-than.js';

/** Who sent a request. */
export interface Caller {
  /** `token:<fp6>`, or `localhost` where no key was needed (B-AUTH-008). */
  identity: string;
  role: KeyRole;
  /** Which key it was; null where none was needed. */
  keyId: string | null;
  /** The key's own limit; null: that of the settings. */
  ratePerMinute: number | null;
}

/** What the keys are known from. */
export interface KnownKeysDeps {
  keys: Pick<Keys, 'valid' | 'used'>;
  /** Keys of the settings. */
  bootstrap: readonly string[];
  log: Pick<Logger, 'warn'>;
  now: () => number;
}

/** The keys that are accepted. */
export interface KnownKeys {
  /** Undefined for a key that nobody has. */
  find: (key: string) => Promise<Caller | undefined>;
  /** A key was made or revoked: the next look sees it. */
  refresh: () => Promise<void>;
  /** From now on these are the settings' keys (B-SECR-008). */
  useBootstrap: (keys: readonly string[]) => void;
}

/** A key that another API revoked is refused after this. */
const AGE_LIMIT_MS = 1_000;
/** Whoever shows a key that is not known may have got it a moment ago; guessers cost no more than this. */
const UNKNOWN_AGE_LIMIT_MS = 100;
/** A request waits no longer for the database: what was kept decides. */
const PATIENCE_MS = 250;
/** Without having seen the database for so long nobody can say that a key still holds. */
const HELD_LIMIT_MS = 3_600_000;
/** One write a key and minute tells which keys are in use. */
const USE_NOTED_EVERY_MS = 60_000;

/** Builds the look-up. */
export function createKnownKeys({ keys, bootstrap, log, now }: KnownKeysDeps): KnownKeys {
  let operators = bootstrap.map(digestOfSecret);
  let known = new Map<string, KeyRecord>();
  let triedAtMs = Number.NEGATIVE_INFINITY;
  let readAtMs = now();
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    triedAtMs = now();
    const beganAtMs = triedAtMs;
    try {
      known = new Map((await keys.valid()).map((key) => [key.id, key]));
      readAtMs = beganAtMs;
    } catch (err) {
      log.warn({ err, event: 'keys_unread' }, 'the keys cannot be read; what was read before holds');
      if (now() - readAtMs > HELD_LIMIT_MS) known = new Map();
    }
  }

  function readOnce(): Promise<void> {
    reading ??= read().finally(() => (reading = undefined));
    return reading;
  }

  function noteUse(key: KeyRecord): void {
    const atMs = now();
    if (key.last_used_ms !== null && atMs - key.last_used_ms < USE_NOTED_EVERY_MS) return;
    key.last_used_ms = atMs;
    keys.used(key.id, atMs).catch((err: unknown) => {
      log.warn({ err, event: 'key_use_unnoted', key_id: key.id }, 'when a key was used cannot be noted');
    });
  }

  return {
    async find(key) {
      const identity = `token:${fingerprint(key)}`;
      if (isAcceptedSecret(key, operators)) {
        const keyId = digestOfSecret(key).toString('hex');
        return { identity, role: 'operator', keyId, ratePerMinute: null };
      }
      const id = apiKeyId(key);
      if (id === undefined) return undefined;
      const ageLimitMs = known.has(id) ? AGE_LIMIT_MS : UNKNOWN_AGE_LIMIT_MS;
      if (now() - triedAtMs > ageLimitMs) await noLongerThan(PATIENCE_MS, readOnce());
      const found = known.get(id);
      if (found === undefined || !isApiKey(key, found.digest)) return undefined;
      noteUse(found);
      return { identity, role: found.role, keyId: id, ratePerMinute: found.rate_limit_per_minute };
    },
    async refresh() {
      await reading; // It may have begun before the change.
      await readOnce();
    },
    useBootstrap(next) {
      operators = next.map(digestOfSecret);
    },
  };
}
