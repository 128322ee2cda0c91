/**
 * Text Generation Inference's own HTTP (huggingface.co/docs/text-generation-inference, 3.x): text in, a token an event out. It
 * renders chat turns at `/chat_tokenize`, so that an answer may go on from its words.
 */
import { DroverError } from '../../../contracts/errors.js';
import type { RunInput } from '../../../contracts/node.js';
import type { StopReason } from '../../../domain/task.js';
import type { TokenLogprob } from '../../../contracts/logprobs.js';
import { schemaOf } from './answer-format.js';
import { answerChat, hasTools } from './chat-route.js';
import type { EngineEvent, EngineAccess, TextAdapter, TextRequest } from './engine-adapter.js';
import { refusal } from './engine-failure.js';
import { EngineHttp } from './engine-http.js';
import { tgiProps } from './engine-props.js';
import { parsed } from './event-data.js';
import { ofTokens } from './token-logprobs.js';

interface TgiToken {
  text: string;
  special: boolean;
  logprob?: number | null;
}

interface TokenEvent {
  index?: number;
  token?: TgiToken;
  /** The likeliest in its place, where they were asked for. */
  top_tokens?: TgiToken[] | null;
  details?: { finish_reason: string; generated_tokens: number; input_length?: number } | null;
  error?: string;
  error_type?: string;
}

const STOP_REASONS: Record<string, StopReason> = {
  length: 'MAX_TOKENS',
  eos_token: 'EOS',
  stop_sequence: 'STOP_SEQUENCE',
};

/** Statuses of its errors amid a stream, as it gives them at the door. */
const STATUSES: Record<string, number> = { validation: 422, overloaded: 429, generation: 424 };

/** Adapter of one TGI server at `url`. */
export function tgiAdapter(url: string, access: EngineAccess): TextAdapter {
  const http = new EngineHttp(url, access);
  return {
    takes: 'text',
    health: (signal) => http.statusOf('/health', signal),
    props: (signal) => tgiProps(http, signal),
    probe: async (signal) => {
      await http.post('/generate', { inputs: 'a', parameters: { max_new_tokens: 1 } }, signal);
    },
    goesOn: () => true,
    complete: async function* (request, signal) {
      const { input, logprobs, stop = [] } = request;
      if (hasTools(input)) {
        // Its chat route takes no top_p of 1 either, and wants a model though it has but one.
        yield* answerChat(http, { ...request, input, topP: topPOf(request) }, { model: 'tgi' }, signal);
        return;
      }
      const inputs = (await promptText(http, input, signal)) + request.said;
      const body = { inputs, parameters: parametersOf(request) };
      yield* events(http.stream('/generate_stream', body, signal, request), stop, logprobs);
    },
    close: () => http.close(),
  };
}

async function promptText(http: EngineHttp, input: RunInput, signal: AbortSignal): Promise<string> {
  if (input.kind === 'text') return input.text;
  const problem = 'prompt: this engine takes text, not token ids';
  if (input.kind === 'ids')
    throw new DroverError('INVALID_PARAMS', problem, { details: [{ field: 'prompt', problem }] });
  const body = { messages: input.messages };
  return (await http.post<{ templated_text: string }>('/chat_tokenize', body, signal)).templated_text;
}

/** TGI refuses a temperature of 0 and a top_p of 1: both are its defaults, greedy and all. */
function parametersOf(request: TextRequest): object {
  const { maxTokens, temperature, seed, stop, format, logprobs, sampling = {} } = request;
  const { top_k, frequency_penalty } = sampling;
  return {
    top_k,
    frequency_penalty,
    max_new_tokens: maxTokens,
    do_sample: temperature === undefined || temperature > 0,
    ...(temperature === undefined || temperature <= 0 ? {} : { temperature }),
    top_p: topPOf(request),
    seed,
    stop,
    ...(format === undefined ? {} : { grammar: { type: 'json', value: schemaOf(format) } }),
    ...(logprobs === undefined || logprobs === 0 ? {} : { top_n_tokens: logprobs }),
  };
}

function topPOf({ topP }: TextRequest): number | undefined {
  return topP === undefined || topP >= 1 || topP <= 0 ? undefined : topP;
}

async function* events(
  stream: AsyncIterable<string[]>,
  stop: readonly string[],
  most: number | undefined,
): AsyncGenerator<EngineEvent[]> {
  const words = new HeldBack(stop);
  for await (const batch of stream) {
    const said: EngineEvent[] = [];
    for (const data of batch) {
      const event = parsed(data) as TokenEvent;
      const { token, details, error, error_type = '' } = event;
      if (error !== undefined) throw refusal(STATUSES[error_type] ?? 500, error);
      const text = words.take(token === undefined || token.special ? '' : token.text);
      const logprobs = logprobsOf(event, most);
      if (text !== '' || logprobs.length > 0)
        said.push({ kind: 'tokens', ids: [], text, ...besideText(event.index, logprobs) });
      if (details == null) continue;
      const rest = words.rest();
      if (rest !== '') said.push({ kind: 'tokens', ids: [], text: rest });
      said.push({
        kind: 'end',
        stopReason: STOP_REASONS[details.finish_reason] ?? 'EOS',
        stopSequence: words.matched,
        tokensIn: details.input_length ?? 0,
        tokensOut: details.generated_tokens,
      });
    }
    if (said.length > 0) yield said;
    if (said.at(-1)?.kind === 'end') return;
  }
  throw new DroverError('WORKER_RESET', 'the engine closed the stream before its end');
}

function besideText(index: number | undefined, logprobs: TokenLogprob[]) {
  return {
    ...(index === undefined ? {} : { index }),
    ...(logprobs.length === 0 ? {} : { logprobs }),
  };
}

function logprobsOf({ token, top_tokens }: TokenEvent, most: number | undefined): TokenLogprob[] {
  if (most === undefined || token === undefined || token.special) return [];
  const told = ({ text, logprob = null }: TgiToken) => ({ token: text, logprob });
  return ofTokens([{ ...told(token), top_logprobs: (top_tokens ?? []).map(told) }], most);
}

/** TGI streams a stop sequence like any text, and clients of ours never see one: what may become one waits. */
class HeldBack {
  /** The sequence that ended the text. */
  matched: string | null = null;
  private held = '';

  constructor(private readonly stop: readonly string[]) {}

  /** What may be shown of the text so far. */
  take(text: string): string {
    if (this.matched !== null) return '';
    this.held += text;
    for (const sequence of this.stop) {
      const at = this.held.indexOf(sequence);
      if (at < 0) continue;
      const before = this.held.slice(0, at);
      this.matched = sequence;
      this.held = '';
      return before;
    }
    const waiting = Math.max(0, ...this.stop.map((sequence) => overlap(this.held, sequence)));
    const shown = this.held.slice(0, this.held.length - waiting);
    this.held = this.held.slice(shown.length);
    return shown;
  }

  /** What was held back in vain. */
  rest(): string {
    const rest = this.held;
    this.held = '';
    return rest;
  }
}

/** Characters at the end of a text with which a sequence may have begun. */
function overlap(text: string, sequence: string): number {
  for (let length = Math.min(text.length, sequence.length - 1); length > 0; length--)
    if (text.endsWith(sequence.slice(0, length))) return length;
  return 0;
}
