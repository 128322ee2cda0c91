import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { digestOfSecret, fingerprint, isAcceptedSecret, sameSecret } from './constant-time.js';

describe('comparing secrets', () => {
  it('tells equal secrets from all others, of any length', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => sameSecret(a, b) === (a === b)));
    fc.assert(fc.property(fc.string(), (a) => sameSecret(a, a)));
  });

  it('finds a secret among the accepted ones wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string()),
        fc.string(),
        (accepted, given) =>
          isAcceptedSecret(given, accepted.map(digestOfSecret)) === accepted.includes(given),
      ),
    );
  });

  it('B-AUTH-007, B-CP-053, B-SECR-010, C-193: is done by a constant-time compare of digests of one length', async () => {
    const source = await readFile(new URL('./constant-time.ts', import.meta.url), 'utf8');
    assert.match(source, /timingSafeEqual\(digestOfSecret\(given\), digestOfSecret\(expected\)\)/);
    assert.doesNotMatch(source, /given ===|=== given|equals\(/);
    assert.equal(digestOfSecret('a').length, digestOfSecret('a much longer secret').length);
  });

  it('B-AUTH-009: a secret is named by the first six hex characters of its SHA-256', () => {
    assert.equal(fingerprint('test'), '9f86d0');
  });
});
