/** Values as scenarios write them: JSON where it reads as JSON, else the text itself. */
import { defineParameterType } from '@cucumber/cucumber';
import type { Ask } from './api-client.js';

/** `0`, `null`, `["a"]`, `"a\nb"` are JSON; `default` is text. */
export function valueOf(text: string): unknown {
  const [, letters] = /^(\d+) letters$/.exec(text) ?? [];
  if (letters !== undefined) return 'x'.repeat(Number(letters));
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The value at a path of dots in parsed JSON; undefined where there is none. */
export function valueAt(json: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => {
    return typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(key) : undefined;
  }, json);
}

/** How a request shows who sends it, as scenarios say it: `with a wrong key`, `without a key`, `with the bearer`. */
export function credentials(how: string, key: string, headers: Record<string, string> = {}): Ask {
  const shown = how.includes('wrong') ? 'a-key-that-nobody-gave-out' : key;
  if (how.startsWith('without')) return { key: null, headers };
  if (how.endsWith('bearer')) return { key: null, headers: { ...headers, authorization: `Bearer ${shown}` } };
  return { key: shown, headers };
}

defineParameterType({
  name: 'names',
  regexp: /"[^"]+"(?:(?:, | and )"[^"]+")*/,
  transformer: (list: string) => [...list.matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? ''),
});
defineParameterType({ name: 'priority', regexp: /interactive|batch/, transformer: (word: string) => word });
