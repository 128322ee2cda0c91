/** What computes vectors: a context of its own, beside that of the slots. */
import type { LlamaEmbeddingContext, LlamaModel } from './llama-types.js';

/** A context for vectors. */
export interface Embeddings {
  readonly context: LlamaEmbeddingContext;
  /** An input has fewer tokens than this. */
  readonly contextSize: number;
}

/** Memory for what a batch computes: it grows with the batch and the vocabulary, whatever the model. */
const MOST_BATCH_BYTES = 2 ** 28;
/** Inputs of this many tokens are taken whatever the vocabulary. */
const LEAST_CONTEXT = 512;

/**
 * Makes the context. An input is computed in one batch, since the vector of one that is cut in two may be that of its second
 * half; so the context is no longer than a batch may be.
 */
export async function createEmbeddings(
  model: LlamaModel,
  {
    threads,
    slotContextSize,
    vocabulary,
    signal,
  }: { threads: number; slotContextSize: number; vocabulary: number; signal: AbortSignal },
): Promise<Embeddings> {
  const batch = Math.floor(MOST_BATCH_BYTES / (vocabulary * Float32Array.BYTES_PER_ELEMENT));
  const contextSize = Math.min(slotContextSize, Math.max(LEAST_CONTEXT, batch));
  const options = { contextSize, batchSize: contextSize, threads, createSignal: signal };
  return { context: await model.createEmbeddingContext(options), contextSize };
}
