/** How likely a model found the tokens that it said, and others in their place. */
import { z } from 'zod';

const likelihood = {
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int()).nullable().meta({ description: 'UTF-8; null where the engine does not tell them' }),
};

/** One token, and the likeliest in its place. */
export const tokenLogprob = z
  .object({ ...likelihood, top_logprobs: z.array(z.object(likelihood)) })
  .meta({ id: 'TokenLogprob' });

/** A token logprob's type. */
export type TokenLogprob = z.infer<typeof tokenLogprob>;

/** Those of one piece of a text. */
export const pieceLogprobs = z.object({
  text_offset: z.int().min(0).meta({ description: 'characters of the text before the piece' }),
  content: z.array(tokenLogprob),
});

/** Those of one piece of a text. */
export type PieceLogprobs = z.infer<typeof pieceLogprobs>;
