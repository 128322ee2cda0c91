/**
 * `POST /v1/embeddings`, as OpenAI's clients and llama-server speak it. Vectors have a context of their own, beside that of the
 * slots; a slot is held all the same, so that the engine never does more at a time than it was told to.
 */
import { performance } from 'node:perf_hooks';
import { nextTaskId } from './generate.js';
import { HttpError, invalid } from './http-error.js';
import type { Exchange } from './http-exchange.js';
import type { Embeddings } from './embeddings.js';
import type { TokenId } from './llama-types.js';
import type { Engine } from './load-engine.js';
import { readPrompt } from './prompt.js';
import type { Fields } from './request-fields.js';

const BYTES = Float32Array.BYTES_PER_ELEMENT;

/** `{input, encoding_format=float}` → a unit vector for each input, in their order. */
export async function answerEmbeddings(engine: Engine, exchange: Exchange): Promise<void> {
  const { embeddings } = engine;
  if (embeddings === undefined)
    throw unsupported('This server does not support embeddings. Start it with `--embeddings`');
  const fields = await exchange.readFields();
  const encode = encoderOf(fields);
  const inputs = readInputs(engine, fields);
  const prompt_tokens = inputs.reduce((sum, tokens) => sum + lengthOf(embeddings, tokens), 0);
  const vectors = await vectorsOf(engine, embeddings, inputs, prompt_tokens, exchange.signal);
  exchange.sendJson({
    object: 'list',
    model: engine.name,
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encode(vector) })),
    usage: { prompt_tokens, total_tokens: prompt_tokens },
  });
}

/** None of the models that are run here has a head that ranks. */
export function refuseRerank(): never {
  throw unsupported('The embedded engine does not support reranking');
}

function encoderOf(fields: Fields): (vector: Float32Array) => unknown {
  if (fields.value('dimensions') !== undefined)
    throw unsupported("The embedded engine does not shorten vectors: leave 'dimensions' out");
  const format = fields.string('encoding_format') ?? 'float';
  if (format === 'float') return (vector) => [...vector];
  if (format !== 'base64') throw invalid("Field 'encoding_format' must be float or base64");
  return (vector) => {
    const bytes = Buffer.alloc(vector.length * BYTES);
    for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * BYTES);
    return bytes.toString('base64');
  };
}

/** A text, token ids, or a list of either. */
function readInputs(engine: Engine, fields: Fields): TokenId[][] {
  const input = fields.value('input');
  const isOne = !Array.isArray(input) || typeof input[0] === 'number';
  const inputs: unknown[] = isOne ? [input] : (input as unknown[]);
  if (inputs.length === 0) throw invalid("'input' must not be empty");
  return inputs.map((one) => readPrompt(engine, one));
}

/** @throws 400 `exceed_context_size_error` */
function lengthOf({ context, contextSize }: Embeddings, tokens: readonly TokenId[]): number {
  const length = context.calculateInputLength([...tokens]);
  if (length < contextSize) return length;
  throw new HttpError(
    'exceed_context_size_error',
    `input (${length} tokens) exceeds the context size for embeddings (${contextSize} tokens)`,
    { n_prompt_tokens: length, n_ctx: contextSize },
  );
}

/** Holds a slot until the last vector is there; an input that has begun cannot be interrupted. */
async function vectorsOf(
  { pool, metrics }: Engine,
  { context }: Embeddings,
  inputs: readonly TokenId[][],
  promptTokens: number,
  signal: AbortSignal,
): Promise<Float32Array[]> {
  const slot = await pool.acquire([], undefined, signal);
  slot.work = { taskId: nextTaskId(), promptTokens, settings: {}, maxTokens: 0, generated: 0 };
  const beganAt = performance.now();
  try {
    const vectors: Float32Array[] = [];
    for (const tokens of inputs) {
      signal.throwIfAborted();
      vectors.push(unitOf((await context.getEmbeddingFor([...tokens])).vector));
    }
    const promptMs = performance.now() - beganAt;
    metrics.note({ promptTokens, cachedTokens: 0, promptMs, predictedTokens: 0, predictedMs: 0 });
    return vectors;
  } finally {
    pool.release(slot);
  }
}

/** Of length 1, as llama-server and OpenAI's service give them: their dot product is then their similarity. */
function unitOf(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector);
  return Float32Array.from(vector, (value) => (length === 0 ? 0 : value / length));
}

function unsupported(message: string): HttpError {
  return new HttpError('not_supported_error', message);
}
