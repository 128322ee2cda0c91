/**
 * The keys that seal payloads and run logs: a ring, whose first key seals and whose every key opens (B-RED-010).
 * All Temporal clients, workers and nodes of one installation share it (C-192).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { DERIVED_KEY_BYTES, deriveKey } from './derived-key.js';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = DERIVED_KEY_BYTES;

/** A token that a key is derived from must be beyond guessing by itself. */
const ENTRY = /^\s*([A-Za-z0-9._-]{1,64}):(?:token:(\S{32,})|([A-Za-z0-9+/]+={0,2}))\s*$/;

/** Sealed bytes and the id of the key that opens them. */
export interface Sealed {
  keyId: string;
  bytes: Buffer;
}

/** Seals with AES-256-GCM under the newest key, opens with whichever key sealed. */
export interface KeyRing {
  /** Id of the key that seals now. */
  readonly currentKeyId: string;
  seal(plain: Uint8Array): Sealed;
  /** @throws Error when the key is unknown or the bytes were changed. */
  open(sealed: { keyId: string; bytes: Uint8Array }): Buffer;
}

/** A new key in the form that `DROVER_PAYLOAD_KEYS` takes. */
export function newPayloadKey(): string {
  return `k${randomBytes(4).toString('hex')}:${randomBytes(KEY_BYTES).toString('base64')}`;
}

/**
 * Reads a ring from `id:base64[,id:base64…]`; instead of a key's base64 an entry may have `token:` and a token that the key
 * is derived from.
 * @throws Error naming the entry's position (never the key) when one is not 32 bytes or an id comes twice.
 */
export function parsePayloadKeys(text: string): KeyRing {
  const keys = new Map<string, Buffer>();
  for (const [index, entry] of text.split(',').entries()) {
    const [, id, token, base64] = ENTRY.exec(entry) ?? [];
    const key = token === undefined ? Buffer.from(base64 ?? '', 'base64') : deriveKey(token);
    if (id === undefined || key.length !== KEY_BYTES || keys.has(id)) {
      throw new Error(
        `payload key ${index + 1} is not "<id>:<base64 of 32 bytes>" or "<id>:token:<32 characters or more>" with an id of its own`,
      );
    }
    keys.set(id, key);
  }
  return keyRing(keys);
}

function keyRing(keys: ReadonlyMap<string, Buffer>): KeyRing {
  const [first] = keys;
  if (first === undefined) throw new Error('no payload key is given');
  const [currentKeyId, currentKey] = first;
  return {
    currentKeyId,
    seal(plain) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', currentKey, nonce);
      const body = cipher.update(plain);
      cipher.final();
      return { keyId: currentKeyId, bytes: Buffer.concat([nonce, cipher.getAuthTag(), body]) };
    },
    open({ keyId, bytes }) {
      const key = keys.get(keyId);
      if (key === undefined) throw new Error(`sealed with the key "${keyId}", which is not configured`);
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    },
  };
}
