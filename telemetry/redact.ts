/** Secrets that stand in running text: an error's message, a line of another program, a URL. */

/** What stands in their place. */
export const REDACTED = '[REDACTED]';

const BEARER = /\bBearer\s{1,8}[\w.~+/=-]+/gi;
/** `name=value`, `name: value`, `"name":"value"`; a value that stands in quotes goes up to the closing one. */
const NAMED =
  /\b(api[_-]?key|key|token|secret|password)(?:(\s{0,8}[=:]\s{0,8})(?:(\\?["'])([^"'\\]+)|([^\s"'\\,;&<>{}()[\]]+))|(\\?["']\s{0,8}:\s{0,8}\\?["'])([^"'\\]+))/gi;
const UUID = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi;
/** What logs call a caller by instead of the key: `token:<fp6>`, and in a dump of headers `****<fp6>`. */
export const FINGERPRINT = /^(?:\*{4})?[0-9a-f]{6}$/;

/**
 * Replaces what looks like a secret: bearer tokens, and what is named key, token, secret or password (B-RED-001..005). It
 * takes time linear in the text's length, whatever the text (B-RED-007). A line of JSON stays one.
 * @param uuids - whether UUIDs go too; they are no secrets, and stay by default
 */
export function redactSecrets(text: string, { uuids = false } = {}): string {
  const redacted = text
    .replace(BEARER, REDACTED)
    .replace(NAMED, (whole, name: string, separator: string | undefined, ...rest: (string | undefined)[]) => {
      const [quote, quoted, bare, jsonSeparator, jsonValue] = rest;
      const value = quoted ?? bare ?? jsonValue ?? '';
      if (FINGERPRINT.test(value) || value === REDACTED) return whole;
      return `${name}${separator ?? jsonSeparator ?? ''}${quote ?? ''}${REDACTED}`;
    });
  return uuids ? redacted.replace(UUID, REDACTED) : redacted;
}
