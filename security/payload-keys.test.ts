import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deriveKey } from './derived-key.js';
import { newPayloadKey, parsePayloadKeys } from './payload-keys.js';

test('B-RED-010: what one key seals, a ring that still has it opens, and the newest key seals', () => {
  const old = newPayloadKey();
  const rotated = parsePayloadKeys(`${newPayloadKey()},${old}`);
  const sealed = parsePayloadKeys(old).seal(Buffer.from('prompt'));
  assert.equal(rotated.open(sealed).toString(), 'prompt');
  assert.notEqual(rotated.currentKeyId, sealed.keyId);
  assert.equal(rotated.seal(Buffer.from('x')).keyId, rotated.currentKeyId);
});

test('sealing twice gives other bytes, which hold nothing of the text', () => {
  const ring = parsePayloadKeys(newPayloadKey());
  const text = Buffer.from('a text that is long enough to be seen');
  const [one, two] = [ring.seal(text), ring.seal(text)];
  assert.notDeepEqual(one.bytes, two.bytes);
  assert.equal(one.bytes.includes(text.subarray(0, 8)), false);
});

test('a changed byte, wherever it is, is noticed', () => {
  const ring = parsePayloadKeys(newPayloadKey());
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(), (plain, at) => {
      const { keyId, bytes } = ring.seal(plain);
      assert.deepEqual(ring.open({ keyId, bytes }), Buffer.from(plain));
      bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1;
      assert.throws(() => ring.open({ keyId, bytes }));
    }),
  );
});

test('B-SECR-011: a key may be derived from a token, the same one by everybody who has it', () => {
  const token = 'a token has no blanks'.replaceAll(' ', '-') + '-and-is-long';
  const [one, other] = [`k:token:${token}`, `k:token:${token}`].map(parsePayloadKeys);
  assert.equal(other!.open(one!.seal(Buffer.from('prompt'))).toString(), 'prompt');
  const derived = `k:${deriveKey(token).toString('base64')}`;
  assert.equal(
    parsePayloadKeys(derived)
      .open(one!.seal(Buffer.from('x')))
      .toString(),
    'x',
  );
  assert.throws(() => parsePayloadKeys(`k:token:${token}x`).open(one!.seal(Buffer.from('x'))));
  assert.throws(
    () => parsePayloadKeys('k:token:too-short'),
    (err: Error) => !err.message.includes('too-short'),
  );
});

test('a key that cannot be used is named by its place, never by its value', () => {
  const good = newPayloadKey();
  for (const bad of ['', 'k1', 'k1:c2hvcnQ=', `${good},x:###`, `${good},${good}`]) {
    assert.throws(
      () => parsePayloadKeys(bad),
      (err: Error) => {
        assert.match(err.message, /payload key \d/);
        assert.equal(err.message.includes('c2hvcnQ='), false);
        return true;
      },
    );
  }
  const unknown = parsePayloadKeys(good).seal(Buffer.from('x'));
  assert.throws(() => parsePayloadKeys(newPayloadKey()).open(unknown), /not configured/);
});
