import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeVector, encodeVector } from './vector.js';

test('a vector is the same after it was text, number by number', () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true })), (numbers) => {
      const vector = Float32Array.from(numbers);
      assert.deepEqual(decodeVector(encodeVector(vector)), [...vector]);
    }),
  );
});

test('its text is what clients of OpenAI read: little-endian', () => {
  assert.equal(encodeVector(Float32Array.of(1, -2)), 'AACAPwAAAMA=');
});
