/** One spelling of a JSON value: keys sorted, no blanks (C-128). Equal values have equal text, so digests compare them. */

/**
 * Canonical text of a JSON value. What JSON cannot hold is treated as `JSON.stringify` treats it: undefined members are
 * left out, and an undefined element is null.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}
