/** What a client may ask of a generation, with llama-server's names and defaults, whichever route it came by. */
import { randomInt } from 'node:crypto';
import { HttpError, invalid } from './http-error.js';
import { type Fields, isObject as isRecord, type JsonObject } from './request-fields.js';

/** What the text must look like. */
export type Constraint =
  | { readonly kind: 'gbnf'; readonly grammar: string }
  | { readonly kind: 'json-schema'; readonly schema: JsonObject }
  | { readonly kind: 'json' };

/** How to sample, when to stop, and where. */
export interface GenerationSettings {
  /** Tokens to generate at most; undefined: until the model ends or the context is full. */
  readonly maxTokens: number | undefined;
  /** 0 takes the likeliest token always. Default 0.8. */
  readonly temperature: number;
  /** Default 40. */
  readonly topK: number;
  /** Default 0.95. */
  readonly topP: number;
  /** Default 0.05. */
  readonly minP: number;
  /** Default: drawn, so that two equal requests differ. */
  readonly seed: number;
  /** Default 1: no penalty. */
  readonly repeatPenalty: number;
  /** How many tokens back the penalties look. Default 64. */
  readonly repeatLastN: number;
  /** Default 0. */
  readonly presencePenalty: number;
  /** Default 0. */
  readonly frequencyPenalty: number;
  /** Texts that end the generation and are not part of it. */
  readonly stop: readonly string[];
  /** Whether the slot's earlier text may be reused where it is the same. Default true. */
  readonly cachePrompt: boolean;
  /** The slot to use. Default: any. */
  readonly slotId: number | undefined;
  readonly constraint: Constraint | undefined;
}

/** Fields that would change the text or the answer, and that this engine does not know: refused, never ignored. */
const REFUSED: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['tools', isNonEmpty],
  ['functions', isNonEmpty],
  ['logit_bias', isNonEmpty],
  ['logprobs', isSet],
  ['n_probs', isSet],
  ['ignore_eos', isSet],
  ['lora', isNonEmpty],
  ['suffix', isSet],
  ['echo', isSet],
  ['n', (value) => value !== 1],
  ['n_cmpl', (value) => value !== 1],
  ['best_of', (value) => value !== 1],
]);

/** Reads the settings; throws 400 for a wrong value and 501 for what this engine cannot do. */
export function readSettings(fields: Fields): GenerationSettings {
  for (const [name, refuses] of REFUSED) {
    const value = fields.value(name);
    if (value !== undefined && refuses(value)) {
      throw new HttpError('not_supported_error', `The embedded engine does not support '${name}'`);
    }
  }
  const maxTokens = fields.integer(['n_predict', 'max_completion_tokens', 'max_tokens'], -1);
  const slotId = fields.integer('id_slot', -1);
  const seed = fields.integer('seed', -1);
  return {
    maxTokens: maxTokens < 0 ? undefined : maxTokens,
    temperature: Math.max(0, fields.number('temperature', 0.8)),
    topK: Math.max(0, fields.integer('top_k', 40)),
    topP: fields.number('top_p', 0.95),
    minP: fields.number('min_p', 0.05),
    // llama.cpp's seeds are 32 bits, of which all ones means "draw one".
    seed: seed < 0 || seed >= 2 ** 32 - 1 ? randomInt(2 ** 32 - 1) : seed,
    repeatPenalty: fields.number('repeat_penalty', 1),
    repeatLastN: fields.integer('repeat_last_n', 64),
    presencePenalty: fields.number('presence_penalty', 0),
    frequencyPenalty: fields.number('frequency_penalty', 0),
    stop: fields.strings('stop'),
    cachePrompt: fields.boolean('cache_prompt', true),
    slotId: slotId < 0 ? undefined : slotId,
    constraint: readConstraint(fields),
  };
}

/** The settings under llama-server's names, for `generation_settings` and `/slots`. */
export function describeSettings(settings: GenerationSettings): Record<string, unknown> {
  return {
    seed: settings.seed,
    temperature: settings.temperature,
    top_k: settings.topK,
    top_p: settings.topP,
    min_p: settings.minP,
    repeat_last_n: settings.repeatLastN,
    repeat_penalty: settings.repeatPenalty,
    presence_penalty: settings.presencePenalty,
    frequency_penalty: settings.frequencyPenalty,
    stop: settings.stop,
    max_tokens: settings.maxTokens ?? -1,
    n_predict: settings.maxTokens ?? -1,
    ignore_eos: false,
  };
}

function readConstraint(fields: Fields): Constraint | undefined {
  const grammar = fields.string('grammar');
  if (grammar !== undefined && grammar !== '') return { kind: 'gbnf', grammar };
  const schema = fields.object('json_schema');
  if (schema !== undefined) return { kind: 'json-schema', schema };
  const format = fields.object('response_format');
  switch (format?.type) {
    case undefined:
    case 'text':
      return undefined;
    case 'json_object':
      return readFormatSchema(format.schema);
    case 'json_schema': {
      const wrapper = format.json_schema;
      return readFormatSchema(isRecord(wrapper) ? wrapper.schema : undefined);
    }
    default:
      throw invalid("Field 'response_format' must have the type text, json_object or json_schema");
  }
}

function readFormatSchema(schema: unknown): Constraint {
  if (schema === undefined) return { kind: 'json' };
  if (!isRecord(schema)) throw invalid("The schema of 'response_format' must be an object");
  return { kind: 'json-schema', schema };
}

function isSet(value: unknown): boolean {
  return value !== false && value !== 0 && value !== '';
}

function isNonEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : !isRecord(value) || Object.keys(value).length > 0;
}
