/** Log probabilities in OpenAI's two shapes: of chats as they are kept, of texts as lists of the same length. */
import type { PieceLogprobs } from '../../contracts/logprobs.js';
import type { ChatLogprobs, TextLogprobs } from '../../contracts/openai.js';

/** Those of a chat's pieces; null where there are none. */
export function chatLogprobs(pieces: readonly PieceLogprobs[]): ChatLogprobs | null {
  return pieces.length === 0 ? null : { content: pieces.flatMap(({ content }) => content), refusal: null };
}

/** Those of a text's pieces; null where there are none. */
export function textLogprobs(pieces: readonly PieceLogprobs[]): TextLogprobs | null {
  if (pieces.length === 0) return null;
  const content = pieces.flatMap((piece) => piece.content);
  return {
    tokens: content.map(({ token }) => token),
    token_logprobs: content.map(({ logprob }) => logprob),
    top_logprobs: content.map(({ top_logprobs }) =>
      Object.fromEntries(top_logprobs.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: pieces.flatMap(offsetsOf),
  };
}

function offsetsOf({ text_offset, content }: PieceLogprobs): number[] {
  let at = text_offset;
  return content.map(({ token }) => {
    const begins = at;
    at += token.length;
    return begins;
  });
}
