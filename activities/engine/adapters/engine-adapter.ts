/** What every engine looks like to us: an adapter translates one engine's HTTP to these calls (B-AD-001, B-AD-007). */
import type { EngineKind, TaskRequest } from '../../../contracts/task.js';
import type { RunInput } from '../../../contracts/node.js';
import type { StopReason } from '../../../domain/task.js';
import { llamacppAdapter } from './llamacpp.js';
import { openaiAdapter } from './openai.js';
import { tgiAdapter } from './tgi.js';
import { vllmAdapter } from './vllm.js';

/** How an engine is to complete, whatever stands before. */
export interface Decoding {
  maxTokens: number;
  /** Absent: the engine's own default. */
  temperature?: number | undefined;
  topP?: number | undefined;
  seed?: number | undefined;
  stop?: readonly string[] | undefined;
  /** Handed on as it is, in the spelling of llama-server and OpenAI alike. */
  sampling?: TaskRequest['sampling'];
}

/** A completion by token ids, so that it can go on from any point (design §4). */
export interface CompletionRequest extends Decoding {
  /** Prompt and, when a run is continued, the ids that were already generated. */
  promptIds: readonly number[];
}

/** A completion by text, of an engine that shows nobody its token ids. */
export interface TextRequest extends Decoding {
  input: RunInput;
  /** What was generated already, when a run is continued. */
  said: string;
}

/** What an engine says while it completes. Ids name every generated token, also those whose text is held back. */
export type EngineEvent =
  | { kind: 'tokens'; ids: readonly number[]; text: string }
  | { kind: 'end'; stopReason: StopReason; stopSequence: string | null; tokensIn: number; tokensOut: number };

/** One engine's HTTP. Every call ends when `signal` aborts; failures are {@link DroverError}s. */
interface AnyAdapter {
  /** True when the engine says that it can serve; false while it loads. */
  healthy(signal: AbortSignal): Promise<boolean>;
  /** Generates one token, because health can lie. */
  probe(signal: AbortSignal): Promise<void>;
  /** Drops the connections. */
  close(): Promise<void>;
}

/** An engine that takes token ids and tells those of what it generates: its tasks go on exactly where they stopped. */
export interface IdsAdapter extends AnyAdapter {
  readonly takes: 'ids';
  /** Token ids of a prompt, the engine's template applied to chat turns. */
  tokenize(input: RunInput, signal: AbortSignal): Promise<number[]>;
  /** Token ids of a text that goes on where a prompt ended: nothing is put before it. */
  tokenizeRest(text: string, signal: AbortSignal): Promise<number[]>;
  /** The text that ids stand for. */
  detokenize(ids: readonly number[], signal: AbortSignal): Promise<string>;
  /** Events as they arrive, those of one network chunk together; always ends with `end` or throws. */
  complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<EngineEvent[]>;
}

/** An engine that takes text: its tokens come without ids, and a task goes on from its words. */
export interface TextAdapter extends AnyAdapter {
  readonly takes: 'text';
  /** Whether an answer to such an input may go on from its words. */
  goesOn(kind: RunInput['kind']): boolean;
  /**
   * Events as they arrive, those of one network chunk together; always ends with `end` or throws.
   * @throws DroverError INVALID_PARAMS for a prompt of ids, where it takes none
   */
  complete(request: TextRequest, signal: AbortSignal): AsyncIterable<EngineEvent[]>;
}

/** One engine's HTTP, by what it takes. */
export type EngineAdapter = IdsAdapter | TextAdapter;

/** Waits of an adapter, in milliseconds. */
export interface EngineWaits {
  /** Until the first byte of an answer. */
  firstByteMs: number;
  /** Between two bytes. */
  idleMs: number;
}

/** Waits of a deployment that sets none: 30 s to the first byte, 60 s of silence (B-DP-182). */
export const DEFAULT_ENGINE_WAITS: EngineWaits = { firstByteMs: 30_000, idleMs: 60_000 };

/** Where Triton says that it serves; its completions are those of its front end in OpenAI's words (B-AD-005). */
const TRITON_READY = '/v2/health/ready';

const ADAPTERS: Record<EngineKind, (url: string, waits: EngineWaits) => EngineAdapter> = {
  llamacpp: llamacppAdapter,
  vllm: vllmAdapter,
  tgi: tgiAdapter,
  triton: (url, waits) => openaiAdapter(url, waits, TRITON_READY),
  openai: openaiAdapter,
};

/** The adapter of an engine kind at a base URL. */
export function adapterFor(kind: EngineKind, url: string, waits = DEFAULT_ENGINE_WAITS): EngineAdapter {
  return ADAPTERS[kind](url, waits);
}
