/** What servers stream in OpenAI's words: chunks with a choice, perhaps a chunk with the figures, and `[DONE]`. */
import { DroverError } from '../../../contracts/errors.js';
import type { StopReason } from '../../../domain/task.js';
import type { EngineEvent } from './engine-adapter.js';
import { refusal } from './engine-failure.js';
import { parsed } from './event-data.js';

interface Chunk {
  choices?: {
    text?: string | null;
    delta?: { content?: string | null };
    /** vLLM's, where they were asked for. */
    token_ids?: number[] | null;
    finish_reason?: string | null;
    /** vLLM's: the stop string that matched, or the id of a stop token; null for the model's own end. */
    stop_reason?: string | number | null;
  }[];
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

/**
 * The events of a streamed answer, those of one network chunk together.
 * @throws DroverError as {@link refusal} for an error amid the stream; WORKER_RESET where it ends without an end
 */
export async function* openaiEvents(stream: AsyncIterable<string[]>): AsyncGenerator<EngineEvent[]> {
  const ending: Ending = { stopReason: null, stopSequence: null, tokensIn: 0, tokensOut: 0 };
  for await (const batch of stream) {
    const isOver = batch.includes('[DONE]');
    const events = batch
      .filter((data) => data !== '[DONE]')
      .flatMap((data) => take(parsed(data) as Chunk, ending));
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

function take({ choices = [], usage, error }: Chunk, ending: Ending): EngineEvent[] {
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
  const text = choice.text ?? choice.delta?.content ?? '';
  const ids = choice.token_ids ?? [];
  return text === '' && ids.length === 0 ? [] : [{ kind: 'tokens', ids, text }];
}

/** @throws DroverError WORKER_RESET for a completion that the engine broke off */
function stopReasonOf(finishReason: string, stopReason: string | number | null | undefined): StopReason {
  if (finishReason === 'length') return 'MAX_TOKENS';
  if (finishReason === 'stop') return typeof stopReason === 'string' ? 'STOP_SEQUENCE' : 'EOS';
  throw new DroverError('WORKER_RESET', 'the engine broke the completion off');
}
