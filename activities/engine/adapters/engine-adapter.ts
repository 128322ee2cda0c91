/** What every engine looks like to us: an adapter translates one engine's HTTP to these calls (B-AD-001, B-AD-007). */
import type { EngineKind, TaskRequest } from '../../../contracts/task.js';
import type { TokenLogprob } from '../../../contracts/logprobs.js';
import type { RunInput } from '../../../contracts/node.js';
import type { ToolCallDelta } from '../../../contracts/tools.js';
import type { StopReason } from '../../../domain/task.js';
import type { AnswerFormat } from './answer-format.js';
import type { ChatRequest } from './chat-route.js';
import type { TaskDeadline } from './engine-http.js';
import { NO_PROPS, tritonProps, type EngineProps } from './engine-props.js';
import { llamacppAdapter } from './llamacpp.js';
import { openaiAdapter } from './openai.js';
import { tgiAdapter } from './tgi.js';
import type { EmbedRequest, RerankRequest, Scores, Vectors } from './vectors.js';
import { vllmAdapter } from './vllm.js';

/** How an engine is to complete, whatever stands before. */
export interface Decoding extends TaskDeadline {
  maxTokens: number;
  /** Absent: the engine's own default. */
  temperature?: number | undefined;
  topP?: number | undefined;
  seed?: number | undefined;
  stop?: readonly string[] | undefined;
  /** Handed on as it is, in the spelling of llama-server and OpenAI alike. */
  sampling?: TaskRequest['sampling'];
  /** What the answer must look like; absent: anything. */
  format?: AnswerFormat | undefined;
  /** Tells how likely each token was, and so many others in its place; absent: tells nothing of it. */
  logprobs?: number | undefined;
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

/**
 * What an engine says while it completes. Ids and log probabilities are of every generated token, also those whose text is
 * held back; a piece of a tool call has no text.
 */
export type EngineEvent =
  | {
      kind: 'tokens';
      ids: readonly number[];
      text: string;
      logprobs?: readonly TokenLogprob[];
      toolCall?: ToolCallDelta;
      /** Its number, where the engine counts; ours goes by how they come (B-AD-010). */
      index?: number;
    }
  | { kind: 'end'; stopReason: StopReason; stopSequence: string | null; tokensIn: number; tokensOut: number };

/** What not every engine does, and not with every model. */
export interface Wanted {
  input: RunInput;
  logprobs?: number | undefined;
}

/** One engine's HTTP. Every call ends when `signal` aborts; failures are {@link DroverError}s. */
interface AnyAdapter {
  /** HTTP status of its answer for its health: 200 when it says that it can serve. @throws whatever the connection throws */
  health(signal: AbortSignal): Promise<number>;
  /** What it says of its slots and its version; null for what it does not tell. */
  props(signal: AbortSignal): Promise<EngineProps>;
  /** Generates one token, because health can lie. */
  probe(signal: AbortSignal): Promise<void>;
  /**
   * A vector for each input. Absent where engines of this kind have no words for it.
   * @throws NotOfferedError for an engine that was not started for it
   */
  embed?(request: EmbedRequest, signal: AbortSignal): Promise<Vectors>;
  /** A score for each document; the rest is as with `embed`. */
  rerank?(request: RerankRequest, signal: AbortSignal): Promise<Scores>;
  /** Drops the connections. */
  close(): Promise<void>;
}

/** An engine that takes token ids and tells those of what it generates: its tasks go on exactly where they stopped. */
export interface IdsAdapter extends AnyAdapter {
  readonly takes: 'ids';
  /**
   * Asks, where it can be known beforehand, whether the engine does what a task wants of it.
   * @throws DroverError INVALID_PARAMS for what it does not
   */
  check?(wanted: Wanted, signal: AbortSignal): Promise<void>;
  /** Token ids of a prompt, the engine's template applied to chat turns. */
  tokenize(input: RunInput, signal: AbortSignal): Promise<number[]>;
  /** Token ids of a text that goes on where a prompt ended: nothing is put before it. */
  tokenizeRest(text: string, signal: AbortSignal): Promise<number[]>;
  /** The text that ids stand for. */
  detokenize(ids: readonly number[], signal: AbortSignal): Promise<string>;
  /** Events as they arrive, those of one network chunk together; always ends with `end` or throws. */
  complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<EngineEvent[]>;
  /** Answers chat turns by text, with calls to tools: as {@link complete}, but without ids. */
  answerWithTools(request: ChatRequest, signal: AbortSignal): AsyncIterable<EngineEvent[]>;
}

/** An engine that takes text: its tokens come without ids, and a task goes on from its words. */
export interface TextAdapter extends AnyAdapter {
  readonly takes: 'text';
  /** Whether an answer to such an input may go on from its words. */
  goesOn(kind: RunInput['kind']): boolean;
  /**
   * Events as they arrive, those of one network chunk together; always ends with `end` or throws.
   * @throws DroverError INVALID_PARAMS for a prompt of ids, where it takes none, and for tools that it cannot call
   */
  complete(request: TextRequest, signal: AbortSignal): AsyncIterable<EngineEvent[]>;
}

/** One engine's HTTP, by what it takes. */
export type EngineAdapter = IdsAdapter | TextAdapter;

/** How an engine is called; waits are in milliseconds. */
export interface EngineAccess {
  /** Until the first byte of an answer. */
  firstByteMs: number;
  /** Between two bytes. */
  idleMs: number;
  /** What it knows us by, where it asks for a key; said to it and to nobody else (B-AD-012). */
  key?: string | undefined;
}

/** How those are called of whom nothing is set: 30 s to the first byte, 60 s of silence (B-DP-182). */
export const DEFAULT_ENGINE_ACCESS: EngineAccess = { firstByteMs: 30_000, idleMs: 60_000 };

/** Where Triton says that it serves; its completions are those of its front end in OpenAI's words (B-AD-005). */
const TRITON_READY = '/v2/health/ready';

const ADAPTERS: Record<EngineKind, (url: string, access: EngineAccess) => EngineAdapter> = {
  llamacpp: llamacppAdapter,
  vllm: vllmAdapter,
  tgi: tgiAdapter,
  triton: (url, access) => openaiAdapter(url, access, { live: TRITON_READY, props: tritonProps }),
  openai: (url, access) =>
    openaiAdapter(url, access, { live: '/v1/models', props: () => Promise.resolve(NO_PROPS) }),
};

/** The adapter of an engine kind at a base URL. */
export function adapterFor(kind: EngineKind, url: string, access = DEFAULT_ENGINE_ACCESS): EngineAdapter {
  return ADAPTERS[kind](url, access);
}

/** True when the engine says that it can serve; false while it loads. @throws whatever the connection throws */
export async function isHealthy(
  adapter: Pick<EngineAdapter, 'health'>,
  signal: AbortSignal,
): Promise<boolean> {
  return (await adapter.health(signal)) === 200;
}
