/**
 * Vectors and scores, asked for in the words that engines share: OpenAI's for embeddings
 * (platform.openai.com/docs/api-reference/embeddings), Jina's for reranking (jina.ai/reranker), which llama-server and vLLM
 * took over.
 */
import { DroverError } from '../../../contracts/errors.js';
import type { EmbeddingInput, RerankInput } from '../../../contracts/node.js';
import type { Workload } from '../../../contracts/task.js';
import { refusal } from './engine-failure.js';
import type { EngineHttp, TaskDeadline } from './engine-http.js';

/** Inputs whose vectors are asked for. */
export type EmbedRequest = Omit<EmbeddingInput, 'kind'> & TaskDeadline;

/** Documents that are to be scored for a query. */
export type RerankRequest = Omit<RerankInput, 'kind'> & TaskDeadline;

/** A vector for each input, in their order. */
export interface Vectors {
  vectors: Float32Array[];
  tokensIn: number;
}

/** A score for each document, in their order; higher is better, and the scale is the model's own. */
export interface Scores {
  scores: number[];
  tokensIn: number;
}

/** An engine, or its model, that does not do what it was asked for. */
export class NotOfferedError extends DroverError {
  constructor(workload: Workload) {
    const problem = `the engine of the pool does not do ${WORDS[workload]}`;
    super('INVALID_PARAMS', problem, { details: [{ field: 'workload', problem }] });
  }
}

const WORDS: Record<Workload, string> = {
  completion: 'completions',
  embedding: 'embeddings',
  rerank: 'reranking',
};

/** No model has vectors a tenth as long; a longer one is nonsense, and would make a frame too large to hand on. */
const LONGEST_VECTOR = 65_536;

interface Usage {
  prompt_tokens?: number;
  total_tokens?: number;
}

/**
 * Asks for vectors.
 * @param also - fields that this engine wants beside the inputs
 * @throws NotOfferedError; DroverError INVALID_PARAMS for what the client may mend; INTERNAL for an answer that is none
 */
export async function embeddings(
  http: EngineHttp,
  { inputs, dimensions, deadlineAtMs }: EmbedRequest,
  also: object,
  signal: AbortSignal,
): Promise<Vectors> {
  const body = { ...also, input: inputs, ...(dimensions === undefined ? {} : { dimensions }) };
  const answer = await http.post<{ data?: { index: number; embedding: unknown }[]; usage?: Usage } | null>(
    '/v1/embeddings',
    { ...body, encoding_format: 'float' },
    signal,
    { refused: (status, text) => refusalOf('embedding', status, text), deadlineAtMs },
  );
  const vectors = inOrder(answer?.data, inputs.length, ({ embedding }) => vectorOf(embedding));
  return { vectors, tokensIn: tokensOf(answer?.usage) };
}

/** Asks for scores; the rest is as with {@link embeddings}. */
export async function scores(
  http: EngineHttp,
  { deadlineAtMs, ...request }: RerankRequest,
  also: object,
  signal: AbortSignal,
): Promise<Scores> {
  type Result = { index: number; relevance_score: unknown };
  const answer = await http.post<{ results?: Result[]; usage?: Usage } | null>(
    '/v1/rerank',
    { ...also, ...request, top_n: request.documents.length },
    signal,
    { refused: (status, text) => refusalOf('rerank', status, text), deadlineAtMs },
  );
  const { length } = request.documents;
  const found = inOrder(answer?.results, length, ({ relevance_score }) => finite(relevance_score));
  return { scores: found, tokensIn: tokensOf(answer?.usage) };
}

/** Servers say it by a missing route, by 501 (llama-server), or in words (vLLM: "The model does not support Embeddings API"). */
function refusalOf(workload: Workload, status: number, body: string): DroverError {
  if (status === 400 && /matryoshka|dimensions/i.test(body)) {
    const problem = 'the model of the pool cannot shorten its vectors to this length';
    return new DroverError('INVALID_PARAMS', problem, { details: [{ field: 'dimensions', problem }] });
  }
  // llama-server computes an input for a vector in one batch, which may be smaller than its context.
  if (body.includes('too large to process'))
    return new DroverError('INVALID_PARAMS', 'an input does not fit the batch of the engine');
  const isMissing = status === 404 || status === 405 || status === 501;
  // llama-server's words for a model that was made for completions, started without `--pooling`.
  const isSaid = status === 400 && /does not support|Pooling type 'none'/i.test(body);
  return isMissing || isSaid ? new NotOfferedError(workload) : refusal(status, body);
}

/** Of each index one answer, whatever order they came in. */
function inOrder<T extends { index: number }, V>(
  answers: readonly T[] | undefined,
  count: number,
  read: (answer: T) => V,
): V[] {
  const byIndex = new Map(Array.isArray(answers) ? answers.map((one: T) => [one.index, one]) : []);
  return Array.from({ length: count }, (_, index) => {
    const answer = byIndex.get(index);
    if (answer === undefined) throw nonsense();
    return read(answer);
  });
}

function vectorOf(embedding: unknown): Float32Array {
  const isVector = Array.isArray(embedding) && embedding.length > 0 && embedding.length <= LONGEST_VECTOR;
  if (!isVector) throw nonsense();
  return Float32Array.from(embedding, finite);
}

function finite(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw nonsense();
  return value;
}

function tokensOf({ prompt_tokens, total_tokens }: Usage = {}): number {
  return prompt_tokens ?? total_tokens ?? 0;
}

function nonsense(): DroverError {
  return new DroverError('INTERNAL', 'the engine answered something else than it was asked for');
}
