/** What every engine looks like to us: an adapter translates one engine's HTTP to these calls (B-AD-001, B-AD-007). */
import type { EngineKind, TaskRequest } from '../../../contracts/task.js';
import type { RunInput } from '../../../contracts/node.js';
import type { StopReason } from '../../../domain/task.js';
import { llamacppAdapter } from './llamacpp.js';
import { vllmAdapter } from './vllm.js';

/** A completion by token ids, so that it can go on from any point (design §4). */
export interface CompletionRequest {
  /** Prompt and, when a run is continued, the ids that were already generated. */
  promptIds: readonly number[];
  maxTokens: number;
  /** Absent: the engine's own default. */
  temperature?: number | undefined;
  topP?: number | undefined;
  seed?: number | undefined;
  stop?: readonly string[] | undefined;
  /** Handed on as it is, in the spelling of llama-server and OpenAI alike. */
  sampling?: TaskRequest['sampling'];
}

/** What an engine says while it completes. Ids name every generated token, also those whose text is held back. */
export type EngineEvent =
  | { kind: 'tokens'; ids: readonly number[]; text: string }
  | { kind: 'end'; stopReason: StopReason; stopSequence: string | null; tokensIn: number; tokensOut: number };

/** One engine's HTTP. Every call ends when `signal` aborts; failures are {@link DroverError}s. */
export interface EngineAdapter {
  /** True when the engine says that it can serve; false while it loads. */
  healthy(signal: AbortSignal): Promise<boolean>;
  /** Generates one token, because health can lie. */
  probe(signal: AbortSignal): Promise<void>;
  /** Token ids of a prompt, the engine's template applied to chat turns. */
  tokenize(input: RunInput, signal: AbortSignal): Promise<number[]>;
  /** Token ids of a text that goes on where a prompt ended: nothing is put before it. */
  tokenizeRest(text: string, signal: AbortSignal): Promise<number[]>;
  /** The text that ids stand for. */
  detokenize(ids: readonly number[], signal: AbortSignal): Promise<string>;
  /** Events as they arrive, those of one network chunk together; always ends with `end` or throws. */
  complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<EngineEvent[]>;
  /** Drops the connections. */
  close(): Promise<void>;
}

/** Waits of an adapter, in milliseconds. */
export interface EngineWaits {
  /** Until the first byte of an answer. */
  firstByteMs: number;
  /** Between two bytes. */
  idleMs: number;
}

/** Waits of a deployment that sets none: 30 s to the first byte, 60 s of silence (B-DP-182). */
export const DEFAULT_ENGINE_WAITS: EngineWaits = { firstByteMs: 30_000, idleMs: 60_000 };

/**
 * The adapter of an engine kind at a base URL.
 * @throws Error for a kind that has no adapter yet; a preload refuses such a pool.
 */
export function adapterFor(kind: EngineKind, url: string, waits = DEFAULT_ENGINE_WAITS): EngineAdapter {
  if (kind === 'llamacpp') return llamacppAdapter(url, waits);
  if (kind === 'vllm') return vllmAdapter(url, waits);
  throw new Error(`no adapter for engine ${kind}`);
}
