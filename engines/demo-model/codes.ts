/**
 * How a token is written into the residual stream: as three ones, at its index modulo three primes.
 *
 * Two different indexes agree in at most one of the three places, so a linear read-out can still tell every token from
 * every other, with a third of the width that one place per token would need.
 */
import { CONTROL_TOKENS } from './vocabulary.js';
import type { CompiledCorpus } from './compile-corpus.js';

/** The product of any two exceeds the number of tokens that need a code (about 550); so no two tokens share two places. */
const PRIMES = [53, 59, 61] as const;

/** Ones in a code. */
export const ONES_PER_CODE = PRIMES.length;
/** Places of a code. */
export const CODE_WIDTH = PRIMES.reduce((sum, prime) => sum + prime, 0);

/** The places of a code that are one. */
export function codeOf(index: number): number[] {
  let start = 0;
  return PRIMES.map((prime) => {
    const place = start + (index % prime);
    start += prime;
    return place;
  });
}

/**
 * The code index of every token. Tokens of the corpus have one each; all others share index 0, "something we do not
 * know". Twins (an opening word with and without a space) share theirs.
 */
export function indexTokens({ examples, vocabulary, twins }: CompiledCorpus): Uint16Array {
  const indexes = new Uint16Array(vocabulary.tokens.length);
  let count = 1;
  const give = (token: number): void => {
    if (indexes[token] === 0) indexes[token] = count++;
  };
  give(vocabulary.id(CONTROL_TOKENS.assistant));
  give(vocabulary.id(CONTROL_TOKENS.end));
  for (const { current, next } of examples) {
    give(current);
    give(next);
  }
  for (const [token, twin] of twins) indexes[twin] = indexes[token] ?? 0;
  const limit = PRIMES[0] * PRIMES[1];
  if (count > limit) throw new Error(`${count} tokens need a code; the primes allow ${limit}`);
  return indexes;
}
