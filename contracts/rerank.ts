/** Reranking on the wire, in the words that Jina, Cohere, llama-server and vLLM share; unknown fields are tolerated. */
import { z } from 'zod';
import { readUsage } from './embeddings.js';
import { modelName, MOST_INPUTS } from './task.js';

const rankedDocument = z.object({ text: z.string() });

/** Body of `POST /v1/rerank`. */
export const rerankRequest = z
  .looseObject({
    model: modelName,
    query: z.string().min(1),
    documents: z
      .array(
        z.union([z.string(), z.looseObject({ text: z.string() })], 'must be a text, or an object with one'),
      )
      .min(1)
      .max(MOST_INPUTS),
    top_n: z.int().min(1).nullish().meta({ description: 'how many of the best are told; all by default' }),
    return_documents: z.boolean().nullish(),
  })
  .meta({ id: 'RerankRequest' });

/** A rerank request, checked. */
export type RerankRequest = z.infer<typeof rerankRequest>;

/** Body of the answer; the best document comes first, of equals the one that was given first. */
export const ranking = z
  .object({
    id: z.string(),
    model: z.string(),
    results: z.array(
      z.object({ index: z.int(), relevance_score: z.number(), document: rankedDocument.optional() }),
    ),
    usage: readUsage,
  })
  .meta({ id: 'Ranking' });

/** Ranking's type. */
export type Ranking = z.infer<typeof ranking>;
