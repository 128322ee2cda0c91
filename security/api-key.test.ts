import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiKeyId, isApiKey, newApiKey } from './api-key.js';

test('a key is found by its id, known by its digest, and no other key is', () => {
  const [one, other] = [newApiKey(), newApiKey()];
  assert.equal(apiKeyId(one.key), one.id);
  assert.equal(isApiKey(one.key, one.digest), true);
  assert.equal(isApiKey(other.key, one.digest), false);
  assert.equal(isApiKey(one.key, ''), false);
  assert.equal(one.digest.includes(one.key) || one.key.includes(one.digest), false);
});

test('only the whole form is a key of ours', () => {
  const { key } = newApiKey();
  for (const text of ['', 'dk-', `${key}x`, key.slice(0, -1), key.toUpperCase(), ` ${key}`])
    assert.equal(apiKeyId(text), undefined, text);
});
