import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { deriveKey } from './derived-key.js';

test('B-SECR-011: a key is the HKDF-SHA256 of its token under the known salt, 32 bytes, and not the token', () => {
  const token = 'a-token-of-an-installation';
  // RFC 5869 by hand: extract, then the first block of expand.
  const extracted = createHmac('sha256', 'llama-orch-encryption-v1').update(token).digest();
  const expanded = createHmac('sha256', extracted).update(Buffer.of(1)).digest();
  const key = deriveKey(token);
  assert.deepEqual(key, expanded);
  assert.equal(key.length, 32);
  assert.equal(key.includes(token.slice(0, 8)), false);
  assert.notDeepEqual(deriveKey(`${token}x`), key);
});
