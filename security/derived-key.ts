/** A key from a token, for who would rather keep a token than 32 bytes (B-SECR-011). */
import { hkdfSync } from 'node:crypto';

/** Length of a derived key: that of AES-256. */
export const DERIVED_KEY_BYTES = 32;

/** Part of what is kept: another salt would be another key. */
const SALT = 'llama-orch-encryption-v1';

/** HKDF-SHA256 of the token. It spreads what the token has of chance and adds none: a short token is a weak key. */
export function deriveKey(token: string): Buffer {
  return Buffer.from(hkdfSync('sha256', token, SALT, '', DERIVED_KEY_BYTES));
}
