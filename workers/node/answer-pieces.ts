/** What the engine says becomes token frames: ids and log probabilities without text yet wait for the text they become. */
import type { EngineEvent } from '../../activities/engine/adapters/engine-adapter.js';
import type { TokenLogprob } from '../../contracts/logprobs.js';
import type { LoggedFrame } from './run-log.js';

type TokensEvent = Extract<EngineEvent, { kind: 'tokens' }>;

/** The pieces of one run's answer, as one engine says them. */
export class AnswerPieces {
  /** Ids whose text is still to come. */
  pendingIds: number[] = [];
  private pendingLogprobs: TokenLogprob[] = [];
  /** Calls that were begun. */
  private calls = 0;

  /** @param textLength - characters that an engine before has said already */
  constructor(private textLength: number) {}

  /** How many tools the answer calls. */
  get toolCalls(): number {
    return this.calls;
  }

  /** The frame of what was said, as the `index`th of its run; undefined where there is nothing to show yet. */
  take({ ids, text, logprobs, toolCall }: TokensEvent, index: number): LoggedFrame | undefined {
    this.pendingIds.push(...ids);
    this.pendingLogprobs.push(...(logprobs ?? []));
    if (text === '' && toolCall === undefined) return undefined;
    if (toolCall !== undefined) this.calls = Math.max(this.calls, toolCall.index + 1);
    const data = {
      ...{ t: text, i: index },
      ...(toolCall === undefined ? {} : { tool_call: toolCall }),
      ...(this.pendingLogprobs.length === 0 ? {} : { logprobs: this.takeLogprobs() }),
    };
    const frame = { body: { type: 'token' as const, data }, ids: this.pendingIds };
    this.pendingIds = [];
    this.textLength += text.length;
    return frame;
  }

  private takeLogprobs() {
    const content = this.pendingLogprobs;
    this.pendingLogprobs = [];
    return { text_offset: this.textLength, content };
  }
}
