/** A request's headers as a log may have them: what proves who calls is shown by its fingerprint alone (B-RED-006). */
import { fingerprint } from './constant-time.js';

const CREDENTIALS = ['authorization', 'proxy-authorization', 'x-api-key', 'cookie', 'set-cookie'];

/** The headers; a credential becomes `****<fp6>`, so that two requests with the same one can be told. */
export function shownHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const shown = Object.entries(headers).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const text = Array.isArray(value) ? value.join(', ') : value;
    return [[name, CREDENTIALS.includes(name.toLowerCase()) ? masked(text) : text] as const];
  });
  return Object.fromEntries(shown);
}

/** The fingerprint is of the secret alone, as elsewhere in the log: `token:<fp6>` of a key is the same six characters. */
function masked(value: string): string {
  return `****${fingerprint(value.replace(/^(?:bearer|basic) +/i, ''))}`;
}
