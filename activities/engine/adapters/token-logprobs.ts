/** Log probabilities as each kind of engine tells them, in OpenAI's shape, with no more alternatives than were asked for. */
import type { TokenLogprob } from '../../../contracts/logprobs.js';

/** OpenAI's word for "all but impossible", where an engine says nothing or minus infinity, which JSON has not. */
const IMPOSSIBLE = -9999;

/** A token as chat routes and llama-server tell it. */
export interface ToldToken {
  token: string;
  logprob?: number | null;
  bytes?: number[] | null;
  top_logprobs?: ToldToken[] | null;
}

/** Tokens of text completions: lists of the same length. */
export interface ToldTokens {
  tokens?: string[] | null;
  token_logprobs?: (number | null)[] | null;
  top_logprobs?: (Record<string, number | null> | null)[] | null;
}

/** Tokens that come one by one, each with those in its place. */
export function ofTokens(tokens: readonly ToldToken[], most: number): TokenLogprob[] {
  return tokens.map((told) => ({
    ...likelihoodOf(told),
    top_logprobs: likeliest((told.top_logprobs ?? []).map(likelihoodOf), most),
  }));
}

/** Tokens that come as lists. */
export function ofLists({ tokens, token_logprobs, top_logprobs }: ToldTokens, most: number): TokenLogprob[] {
  return (tokens ?? []).map((token, at) => {
    const others = Object.entries(top_logprobs?.[at] ?? {});
    return {
      ...likelihoodOf({ token, logprob: token_logprobs?.[at] ?? null }),
      top_logprobs: likeliest(
        others.map(([other, logprob]) => likelihoodOf({ token: other, logprob })),
        most,
      ),
    };
  });
}

type Likelihood = TokenLogprob['top_logprobs'][number];

function likeliest(others: readonly Likelihood[], most: number): Likelihood[] {
  return [...others].sort((a, b) => b.logprob - a.logprob).slice(0, most);
}

function likelihoodOf({ token, logprob, bytes }: ToldToken): Likelihood {
  return { token, logprob: logprob ?? IMPOSSIBLE, bytes: bytes ?? bytesOf(token) };
}

/** A token that is part of a character was shown as a sign for that: its bytes are not known. */
function bytesOf(token: string): number[] | null {
  return token.includes('\uFFFD') ? null : [...Buffer.from(token)];
}
