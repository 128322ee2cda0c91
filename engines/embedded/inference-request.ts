/** The body of `POST /v1/inference`: every wrong field is named at once, and no value of the prompt is ever said back. */
import { randomInt } from 'node:crypto';
import type { GenerationSettings } from './generation-request.js';
import { isObject, type JsonObject } from './request-fields.js';
import { WorkerError } from './worker-error.js';

/** What is asked of a worker. */
export interface InferenceRequest {
  readonly jobId: string;
  readonly prompt: string;
  readonly stream: boolean;
  readonly settings: GenerationSettings;
}

/** One wrong field. */
interface FieldError {
  readonly field: string;
  readonly constraint: string;
  readonly message: string;
  readonly value?: unknown;
}

/** A field's rule; `shown`: its value may be said back. */
interface Rule {
  readonly field: string;
  readonly required?: boolean;
  readonly constraint: string;
  readonly shown?: boolean;
  readonly holds: (value: unknown) => boolean;
}

const LONGEST_JOB_ID = 128;
const LONGEST_PROMPT = 32_768;
const MOST_STOPS = 4;
const LONGEST_STOP = 100;
/** llama.cpp's seeds are 32 bits, of which all ones means "draw one". */
const SEEDS = 2 ** 32 - 1;

/**
 * Reads the body.
 *
 * @param mostTokens the largest `max_tokens` that this worker takes
 * @throws WorkerError INVALID_JSON, INVALID_REQUEST_FORMAT, INVALID_REQUEST
 */
export function readInference(text: string, mostTokens: number): InferenceRequest {
  const body = parseObject(text);
  const errors = rules(mostTokens).flatMap((rule) => check(rule, body[rule.field] ?? undefined));
  if (errors.length > 0) {
    const fields = errors.map(({ field }) => field).join(', ');
    throw new WorkerError('INVALID_REQUEST', `the request is not valid: ${fields}`, { errors });
  }
  // The rules have been kept: what is there has its type.
  const stop = (body['stop'] ?? []) as string[];
  return {
    jobId: body['job_id'] as string,
    prompt: body['prompt'] as string,
    stream: (body['stream'] ?? true) as boolean,
    settings: {
      maxTokens: body['max_tokens'] as number,
      temperature: (body['temperature'] ?? 1) as number,
      topK: (body['top_k'] ?? 0) as number,
      topP: (body['top_p'] ?? 1) as number,
      minP: (body['min_p'] ?? 0) as number,
      seed: (body['seed'] ?? randomInt(SEEDS)) as number,
      repeatPenalty: (body['repetition_penalty'] ?? 1) as number,
      repeatLastN: 64,
      presencePenalty: 0,
      frequencyPenalty: 0,
      ...{ stop, cachePrompt: true, slotId: undefined, constraint: undefined },
    },
  };
}

function parseObject(text: string): JsonObject {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new WorkerError('INVALID_JSON', 'the body is not JSON', placeOf(error, text));
  }
  if (isObject(body)) return body;
  const got = body === null ? 'null' : Array.isArray(body) ? 'array' : typeof body;
  throw new WorkerError('INVALID_REQUEST_FORMAT', `the body must be a JSON object, not ${got}`, { got });
}

/** Where the parser stopped, as far as it says; its own words quote the body. */
function placeOf(error: unknown, text: string): { position?: number } {
  const said = error instanceof Error ? error.message : '';
  const position = /position (\d+)/.exec(said)?.[1];
  if (position !== undefined) return { position: Number(position) };
  return said.includes('end of JSON input') ? { position: text.length } : {};
}

function rules(mostTokens: number): readonly Rule[] {
  return [
    {
      ...{ field: 'job_id', required: true, constraint: `a text of 1 to ${LONGEST_JOB_ID} characters` },
      holds: (value) => isText(value, LONGEST_JOB_ID),
    },
    {
      ...{ field: 'prompt', required: true, constraint: `a text of 1 to ${LONGEST_PROMPT} characters` },
      holds: (value) => isText(value, LONGEST_PROMPT),
    },
    { ...whole('max_tokens', 1, mostTokens), required: true },
    between('temperature', 0, 2),
    between('top_p', 0, 1),
    between('min_p', 0, 1),
    whole('top_k', 0, Number.MAX_SAFE_INTEGER),
    between('repetition_penalty', 0, 2),
    whole('seed', 0, SEEDS - 1),
    {
      field: 'stop',
      constraint: `at most ${MOST_STOPS} texts of 1 to ${LONGEST_STOP} characters`,
      holds: (value) =>
        Array.isArray(value) &&
        value.length <= MOST_STOPS &&
        value.every((stop) => isText(stop, LONGEST_STOP)),
    },
    { field: 'stream', constraint: 'true or false', holds: (value) => typeof value === 'boolean' },
  ];
}

function check(
  { field, required = false, constraint, shown = false, holds }: Rule,
  value: unknown,
): FieldError[] {
  if (value === undefined) {
    return required ? [{ field, constraint, message: `${field} is missing: it must be ${constraint}` }] : [];
  }
  if (holds(value)) return [];
  const isPlain = typeof value === 'number' || typeof value === 'boolean';
  return [
    { field, constraint, message: `${field} must be ${constraint}`, ...(shown && isPlain ? { value } : {}) },
  ];
}

function between(field: string, least: number, most: number): Rule {
  return {
    ...{ field, constraint: `a number from ${least} to ${most}`, shown: true },
    holds: (value) => typeof value === 'number' && value >= least && value <= most,
  };
}

function whole(field: string, least: number, most: number): Rule {
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  return {
    ...{ field, constraint: `a whole number ${range}`, shown: true },
    holds: (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
  };
}

/** A character is what a person counts as one where the encoding does, too: a code point. */
function isText(value: unknown, longest: number): boolean {
  return typeof value === 'string' && value.length > 0 && Array.from(value).length <= longest;
}
