/**
 * Comparing secrets: always by SHA-256 digests of equal length and in constant time, so that neither the length nor the
 * place of the first difference shows in the time it takes (B-AUTH-007, B-SECR-010).
 */
import { createHash, timingSafeEqual } from 'node:crypto';

const FINGERPRINT_LENGTH = 6;

/** A secret as it is kept for comparing: its SHA-256, never the secret. */
export type SecretDigest = Buffer;

/** Digest of a secret. */
export function digestOfSecret(secret: string): SecretDigest {
  return createHash('sha256').update(secret, 'utf8').digest();
}

/** True when `given` and `expected` are the same secret. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digestOfSecret(given), digestOfSecret(expected));
}

/** True when `given` is one of the accepted secrets; all of them are compared, whichever matches. */
export function isAcceptedSecret(given: string, accepted: readonly SecretDigest[]): boolean {
  const digest = digestOfSecret(given);
  let matches = 0;
  for (const candidate of accepted) matches |= Number(timingSafeEqual(digest, candidate));
  return matches !== 0;
}

/** How a secret is named in logs: the first six hex characters of its SHA-256 (B-AUTH-009). */
export function fingerprint(secret: string): string {
  return fingerprintOfDigest(digestOfSecret(secret).toString('hex'));
}

/** The same from the digest in hex, where the secret is not known any more. */
export function fingerprintOfDigest(digest: string): string {
  return digest.slice(0, FINGERPRINT_LENGTH);
}
