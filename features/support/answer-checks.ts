/** What must be true of answers, whatever they are about. */
import { createHash } from 'node:crypto';

/** True for a UUID of version 4. */
export function isUuidV4(text: string | null): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(text ?? '');
}

/** What an error must not hold: stack traces, paths of this machine, internal addresses, tokens (B-ERR-020). */
export function tellsOfTheInside(text: string): string[] {
  const patterns = [
    /\bat \S+ \(/,
    /node_modules/,
    /(?:^|[\s"'])\/(?:home|tmp|work|root|usr|var)\b/,
    /127\.0\.0\.1/,
    /localhost/,
    /[Bb]earer \S/,
  ];
  return patterns.filter((pattern) => pattern.test(text)).map(String);
}

/** How logs name a key: the first six hex characters of its SHA-256 (B-AUTH-009). */
export function fingerprint(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 6);
}
