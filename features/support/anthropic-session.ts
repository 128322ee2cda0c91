/** What a scenario does with Anthropic's own client, unchanged, and with plain fetch where that client has no words for it. */
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { perScenario } from './per-scenario.js';
import type { DroverWorld } from './world.js';

/** An event as it stood on the wire. */
export interface WireEvent {
  id: string;
  text: string;
}

const LIMIT_MS = 30_000;
/** The session of a scenario. */
export const anthropic = perScenario((world) => new AnthropicSession(world));

/** One application that speaks Anthropic's protocol. */
export class AnthropicSession {
  message: Anthropic.Message | undefined;
  /** Types of a stream's events, those in a row once. */
  kinds: string[] = [];
  refusal: APIError | undefined;

  constructor(private readonly world: DroverWorld) {}

  private client(apiKey = this.world.stack.key): Anthropic {
    return new Anthropic({ baseURL: this.world.client.url, apiKey, maxRetries: 0, timeout: LIMIT_MS });
  }

  /** Asks for a whole message. */
  async ask(prompt: string, more: object = {}): Promise<void> {
    this.message = await this.client().messages.create({ ...bodyOf(prompt), ...more });
  }

  /** Streams a message as the client's own helper does. */
  async stream(prompt: string, more: object = {}): Promise<void> {
    const stream = this.client().messages.stream({ ...bodyOf(prompt), ...more });
    for await (const { type } of stream) if (this.kinds.at(-1) !== type) this.kinds.push(type);
    this.message = await stream.finalMessage();
  }

  /** How many tokens the prompt has. */
  async count(prompt: string, more: object = {}): Promise<number> {
    const { model, messages } = bodyOf(prompt);
    return (await this.client().messages.countTokens({ model, messages, ...more })).input_tokens;
  }

  /** Is refused. */
  async refused(more: object, key?: string): Promise<void> {
    try {
      await this.client(key).messages.create({ ...bodyOf('hi'), ...more });
    } catch (err) {
      if (!(err instanceof APIError)) throw err;
      this.refusal = err;
    }
  }

  /** Events of a streamed message, at most so many; then the reader leaves. */
  async events(prompt: string, most: number, key: string): Promise<WireEvent[]> {
    const body = JSON.stringify({ ...bodyOf(prompt), stream: true });
    return this.read('/v1/messages', { method: 'POST', body, headers: { 'idempotency-key': key } }, most);
  }

  /** The rest of it, after the last event that the reader has. */
  async eventsAfter(messageId: string, last: string): Promise<WireEvent[]> {
    const headers = { 'last-event-id': last };
    return this.read(`/v1/messages/${messageId}?stream=true`, { method: 'GET', headers }, Infinity);
  }

  private async read(path: string, ask: RequestInit, most: number): Promise<WireEvent[]> {
    const leave = new AbortController();
    const headers = {
      ...(ask.headers as Record<string, string>),
      'content-type': 'application/json',
      'x-api-key': this.world.stack.key,
    };
    const { client } = this.world;
    const signal = AbortSignal.any([leave.signal, AbortSignal.timeout(LIMIT_MS)]);
    const response = await fetch(`${client.url}${path}`, { ...ask, headers, signal });
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    const events: WireEvent[] = [];
    let rest = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const parts = (rest + chunk).split('\n\n');
      rest = parts.pop() ?? '';
      for (const text of parts) {
        const id = /^id: (.*)$/m.exec(text)?.[1];
        if (id !== undefined) events.push({ id, text });
      }
      if (events.length >= most) break;
    }
    leave.abort();
    return events.slice(0, most);
  }
}

function bodyOf(prompt: string): Anthropic.MessageCreateParamsNonStreaming & { temperature: number } {
  // Greedy: the demo model then says its texts word for word.
  return { model: 'demo', max_tokens: 400, temperature: 0, messages: [{ role: 'user', content: prompt }] };
}
