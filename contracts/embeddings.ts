/** OpenAI's embeddings on the wire; unknown fields are tolerated, what Drover does not offer is refused by name. */
import { z } from 'zod';
import { modelName, MOST_INPUTS } from './task.js';

const ids = z.array(z.int().min(0)).min(1);
const text = z.string().min(1);

/** How a vector may be written: numbers, or base64 of little-endian 32-bit floats. */
export const encodingFormat = z.enum(['float', 'base64']);

/** Encoding format's type. */
export type EncodingFormat = z.infer<typeof encodingFormat>;

/** Body of `POST /v1/embeddings`. */
export const embeddingRequest = z
  .looseObject({
    model: modelName,
    input: z.union(
      [text, z.array(text).min(1).max(MOST_INPUTS), ids, z.array(ids).min(1).max(MOST_INPUTS)],
      `must be a text, token ids, or at most ${MOST_INPUTS} of either, none of them empty`,
    ),
    encoding_format: encodingFormat.nullish(),
    dimensions: z.int().min(1).max(65_536).nullish().meta({
      description: 'length of the vectors, where the engine can shorten them',
    }),
    user: z.string().nullish(),
  })
  .meta({ id: 'EmbeddingRequest' });

/** An embedding request, checked. */
export type EmbeddingRequest = z.infer<typeof embeddingRequest>;

/** Tokens that were read. */
export const readUsage = z
  .object({ prompt_tokens: z.int(), total_tokens: z.int() })
  .meta({ id: 'ReadUsage' });

/** Body of the answer. */
export const embeddingList = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    model: z.string(),
    usage: readUsage,
  })
  .meta({ id: 'EmbeddingList' });

/** Embedding list's type. */
export type EmbeddingList = z.infer<typeof embeddingList>;
