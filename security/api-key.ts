/** Keys that Drover makes: `dk-<id>-<secret>`. The id finds the row, the digest of the whole key is all that is kept of it. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { digestOfSecret } from './constant-time.js';

/** Told apart among all keys of an installation. */
const ID_BYTES = 8;
/** 256 bits: beyond guessing, so that a plain digest keeps it as well as a slow one would. */
const SECRET_BYTES = 32;
const FORM = /^dk-([0-9a-f]{16})-[A-Za-z0-9_-]{43}$/;

/** A key that was just made. */
export interface NewApiKey {
  id: string;
  /** Told once, kept by nobody. */
  key: string;
  /** SHA-256 of the key in hex: what is kept. */
  digest: string;
}

/** Makes a key. */
export function newApiKey(): NewApiKey {
  const id = randomBytes(ID_BYTES).toString('hex');
  const key = `dk-${id}-${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { id, key, digest: digestOfSecret(key).toString('hex') };
}

/** Id in a key that has the form of ours; undefined for any other text. */
export function apiKeyId(key: string): string | undefined {
  return FORM.exec(key)?.[1];
}

/** True when `key` is the one that `digest` was kept of; in constant time. */
export function isApiKey(key: string, digest: string): boolean {
  const [given, kept] = [digestOfSecret(key), Buffer.from(digest, 'hex')];
  return kept.length === given.length && timingSafeEqual(given, kept);
}
