import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from './canonical-json.js';

/** The same value with the keys of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reordered(inner)]),
  );
}

describe('canonical JSON', () => {
  it('B-ART-023, C-128: is the same whatever the order of the keys, without blanks', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => canonicalJson(value) === canonicalJson(reordered(value))),
    );
    assert.equal(
      canonicalJson({ b: [1, { d: null, c: 'x y' }], a: true }),
      '{"a":true,"b":[1,{"c":"x y","d":null}]}',
    );
  });

  it('loses nothing: what is read back is the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) =>
        assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value))),
      ),
    );
  });

  it('differs when a value does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const same = JSON.stringify(reordered(a)) === JSON.stringify(reordered(b));
        return !same || canonicalJson(a) === canonicalJson(b);
      }),
    );
    assert.notEqual(canonicalJson({ a: [1, 2] }), canonicalJson({ a: [2, 1] }));
    assert.notEqual(canonicalJson({ a: '1' }), canonicalJson({ a: 1 }));
  });

  it('leaves out what is undefined, so that an absent field and an unset one are equal', () => {
    assert.equal(canonicalJson({ a: undefined, b: 1 }), canonicalJson({ b: 1 }));
  });
});
