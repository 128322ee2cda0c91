/** Reads fields of a request's JSON body, and says what is wrong with them in the words of the one who sent it. */
import { invalid } from './http-error.js';

/** A parsed JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads one body; null counts as absent, as it does for OpenAI's clients. */
export class Fields {
  constructor(readonly body: JsonObject) {}

  /** The first of these names that has a value. */
  value(...names: readonly string[]): unknown {
    return names.map((name) => this.body[name]).find((value) => value !== undefined && value !== null);
  }

  number(name: string, fallback: number): number {
    const value = this.value(name) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw invalid(`Field '${name}' must be a number`);
    return value;
  }

  integer(names: string | readonly string[], fallback: number): number {
    const list = typeof names === 'string' ? [names] : names;
    const value = this.value(...list) ?? fallback;
    if (!Number.isSafeInteger(value)) throw invalid(`Field '${list[0] ?? ''}' must be a whole number`);
    return value as number; // isSafeInteger is no type guard
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.value(name) ?? fallback;
    if (typeof value !== 'boolean') throw invalid(`Field '${name}' must be true or false`);
    return value;
  }

  string(name: string): string | undefined {
    const value = this.value(name);
    if (value !== undefined && typeof value !== 'string') throw invalid(`Field '${name}' must be a string`);
    return value;
  }

  /** A string or a list of strings. */
  strings(name: string): string[] {
    const value = this.value(name) ?? [];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (!list.every((item) => typeof item === 'string')) {
      throw invalid(`Field '${name}' must be a string or a list of strings`);
    }
    return list;
  }

  object(name: string): JsonObject | undefined {
    const value = this.value(name);
    if (value !== undefined && !isObject(value)) throw invalid(`Field '${name}' must be an object`);
    return value;
  }
}
