import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { payloadCodec } from './payload-codec.js';
import { newPayloadKey, parsePayloadKeys } from './payload-keys.js';

const ring = parsePayloadKeys(newPayloadKey());

test('B-RED-010, B-DUR-004: a payload is sealed whole, and opens to what it was', async () => {
  const codec = payloadCodec(ring);
  const payload = defaultPayloadConverter.toPayload({ prompt: 'a canary' });
  assert.ok(payload);
  const [sealed] = await codec.encode([payload]);
  assert.equal(Buffer.from(sealed?.data ?? []).includes('canary'), false);
  assert.equal(Buffer.from(sealed?.metadata?.['encoding'] ?? []).toString(), 'binary/encrypted');
  assert.equal(Buffer.from(sealed?.metadata?.['encryption-key-id'] ?? []).toString(), ring.currentKeyId);
  assert.ok(sealed);
  const [opened] = await codec.decode([sealed]);
  assert.deepEqual(defaultPayloadConverter.fromPayload(opened ?? {}), { prompt: 'a canary' });
});

test('a payload that nobody sealed passes untouched, one of a lost key says which', async () => {
  const plain = defaultPayloadConverter.toPayload('x');
  assert.ok(plain);
  assert.deepEqual(await payloadCodec(ring).decode([plain]), [plain]);
  const sealed = await payloadCodec(ring).encode([plain]);
  const other = payloadCodec(parsePayloadKeys(newPayloadKey()));
  await assert.rejects(async () => other.decode(sealed), new RegExp(ring.currentKeyId));
});
