/** What servers stream in OpenAI's words: chunks with a choice, perhaps a chunk with the figures, and `[DONE]`. */
import { DroverError } from '../../../contracts/errors.js';
import type { StopReason } from '../../../domain/task.js';
import type { EngineEvent } from './engine-adapter.js';
import { refusal } from './engine-failure.js';
import { parsed } from './event-data.js';
import { ofLists, ofTokens, type ToldToken, type ToldTokens } from './token-logprobs.js';
import { ToolDeltas, type ToldDelta } from './tool-deltas.js';

interface Choice {
  text?: string | null;
  delta?: { content?: string | null; tool_calls?: ToldDelta[] | null };
  /** Of chats a list of tokens, of texts lists of what is known of each. */
  logprobs?: ({ content?: ToldToken[] | null } & ToldTokens) | null;
  /** vLLM's, where they were asked for. */
  token_ids?: number[] | null;
  finish_reason?: string | null;
  /** vLLM's: the stop string that matched, or the id of a stop token; null for the model's own end. */
  stop_reason?: string | number | null;
}

interface Chunk {
  choices?: Choice[];
  usage?: { prompt_tokens?: number; completion_tokens?: number } | null;
  error?: { code?: number | string | null };
}

/** What the stream has said of its end; the figures come after the reason. */
interface Ending {
  stopReason: StopReason | null;
  stopSequence: string | null;
  tokensIn: number;
  tokensOut: number;
}

/** What is read out of a stream. */
interface Reading {
  ending: Ending;
  calls: ToolDeltas;
  /** Alternatives to each token; undefined where nobody asked how likely it was. */
  logprobs: number | undefined;
}

/**
 * The events of a streamed answer, those of one network chunk together.
 * @param logprobs - how many alternatives to each token are wanted; undefined: what the stream says of them is left out
 * @throws DroverError as {@link refusal} for an error amid the stream; WORKER_RESET where it ends without an end
 */
export async function* openaiEvents(
  stream: AsyncIterable<string[]>,
  logprobs?: number,
): AsyncGenerator<EngineEvent[]> {
  const ending: Ending = { stopReason: null, stopSequence: null, tokensIn: 0, tokensOut: 0 };
  const reading: Reading = { ending, calls: new ToolDeltas(), logprobs };
  for await (const batch of stream) {
    const isOver = batch.includes('[DONE]');
    const events = batch
      .filter((data) => data !== '[DONE]')
      .flatMap((data) => take(parsed(data) as Chunk, reading));
    const { stopReason } = ending;
    if (isOver && stopReason !== null) {
      yield [...events, { kind: 'end', ...ending, stopReason }];
      return;
    }
    if (events.length > 0) yield events;
    if (isOver) break;
  }
  throw new DroverError('WORKER_RESET', 'the engine closed the stream before its end');
}

function take({ choices = [], usage, error }: Chunk, reading: Reading): EngineEvent[] {
  const { ending } = reading;
  // The status of a stream was sent long before: an error in it has its own.
  if (error != null) throw refusal(Number(error.code ?? 500) || 500, JSON.stringify({ error }));
  if (usage != null) {
    ending.tokensIn = usage.prompt_tokens ?? 0;
    ending.tokensOut = usage.completion_tokens ?? 0;
  }
  const [choice] = choices;
  if (choice === undefined) return [];
  const { finish_reason, stop_reason } = choice;
  if (finish_reason != null) {
    ending.stopReason = stopReasonOf(finish_reason, stop_reason);
    ending.stopSequence = typeof stop_reason === 'string' ? stop_reason : null;
  }
  return [...said(choice, reading), ...called(choice, reading)];
}

function said(
  { text, delta, token_ids, logprobs: told }: Choice,
  { logprobs: most }: Reading,
): EngineEvent[] {
  const words = text ?? delta?.content ?? '';
  const ids = token_ids ?? [];
  const logprobs = most === undefined || told == null ? [] : logprobsOf(told, most);
  if (words === '' && ids.length === 0 && logprobs.length === 0) return [];
  return [{ kind: 'tokens', ids, text: words, ...(logprobs.length === 0 ? {} : { logprobs }) }];
}

function logprobsOf({ content, ...lists }: NonNullable<Choice['logprobs']>, most: number) {
  return content == null ? ofLists(lists, most) : ofTokens(content, most);
}

function called({ delta, finish_reason }: Choice, { calls }: Reading): EngineEvent[] {
  return (delta?.tool_calls ?? []).flatMap((told): EngineEvent[] => {
    const toolCall = calls.take(told, finish_reason != null);
    return toolCall === undefined ? [] : [{ kind: 'tokens', ids: [], text: '', toolCall }];
  });
}

/** @throws DroverError WORKER_RESET for a completion that the engine broke off */
function stopReasonOf(finishReason: string, stopReason: string | number | null | undefined): StopReason {
  if (finishReason === 'length') return 'MAX_TOKENS';
  if (finishReason === 'tool_calls') return 'EOS';
  if (finishReason === 'stop') return typeof stopReason === 'string' ? 'STOP_SEQUENCE' : 'EOS';
  throw new DroverError('WORKER_RESET', 'the engine broke the completion off');
}
