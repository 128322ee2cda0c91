/** From what a client sends as a prompt to token ids. */
import { HttpError, invalid } from './http-error.js';
import type { LlamaModel, TokenId } from './llama-types.js';
import type { Pieces } from './pieces.js';
import { isObject } from './request-fields.js';
import { unfinishedLength } from './released-text.js';

/** What reading a prompt needs of the engine. */
export interface PromptReader {
  readonly model: Pick<LlamaModel, 'tokenize' | 'tokens'>;
  readonly pieces: Pieces;
  readonly slotContextSize: number;
}

/** The tokens of a text; control tokens may be written in it. */
export function tokenizePrompt({ model }: Pick<PromptReader, 'model'>, text: string): TokenId[] {
  const { bos, shouldPrependBosToken } = model.tokens;
  const tokens = model.tokenize(text, true);
  return shouldPrependBosToken && bos !== null && tokens[0] !== bos ? [bos, ...tokens] : tokens;
}

/**
 * Reads a prompt: a text, a list of token ids, or a list of texts and ids.
 *
 * @throws 400, and `exceed_context_size_error` when it leaves no room for an answer
 */
export function readPrompt(engine: PromptReader, prompt: unknown): TokenId[] {
  const tokens = toTokens(engine, prompt);
  if (tokens.length === 0) throw invalid('The prompt is empty');
  if (tokens.length < engine.slotContextSize) return tokens;
  throw new HttpError(
    'exceed_context_size_error',
    `request (${tokens.length} tokens) exceeds the available context size (${engine.slotContextSize} tokens), try increasing it`,
    { n_prompt_tokens: tokens.length, n_ctx: engine.slotContextSize },
  );
}

function toTokens(engine: PromptReader, prompt: unknown): TokenId[] {
  if (typeof prompt === 'string') return tokenizePrompt(engine, prompt);
  if (isObject(prompt) && typeof prompt.prompt_string === 'string')
    return toTokens(engine, prompt.prompt_string);
  if (prompt === undefined) throw invalid("'prompt' is required");
  if (!Array.isArray(prompt)) throw invalid("'prompt' must be a string, a list of tokens, or a list of both");
  const parts: unknown[] = prompt;
  if (parts.length > 1 && !parts.some((part) => typeof part === 'number')) {
    throw new HttpError('not_supported_error', 'The embedded engine takes one prompt per request');
  }
  if (parts.length === 1 && typeof parts[0] !== 'number') return toTokens(engine, parts[0]);
  return parts.flatMap((part, index) => {
    if (typeof part === 'string') {
      return index === 0 ? tokenizePrompt(engine, part) : engine.model.tokenize(part, true);
    }
    if (Number.isSafeInteger(part) && isToken(engine.pieces, part as number)) return [part as number];
    throw invalid('Prompt contains invalid tokens');
  });
}

/** Whether the vocabulary has this id. */
export function isToken({ count }: Pieces, id: number): boolean {
  return Number.isSafeInteger(id) && id >= 0 && id < count;
}

/** The most tokens that one character may be spread over. */
const TOKENS_PER_CHARACTER = 4;

/**
 * The bytes of an unfinished character at the prompt's end. A prompt of ids may be cut there, when an earlier generation
 * was; the character's text then belongs to what is generated now.
 */
export function unfinishedEnd(pieces: Pieces, prompt: readonly TokenId[]): Uint8Array {
  const bytes = Buffer.concat(prompt.slice(-TOKENS_PER_CHARACTER).map((token) => pieces.bytesOf(token)));
  return bytes.subarray(bytes.length - unfinishedLength(bytes));
}
