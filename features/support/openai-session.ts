/** What a scenario does with OpenAI's own client, unchanged, and with plain fetch where that client has no words for it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import OpenAI, { APIError } from 'openai';
import { eventually } from '../../testing/changes.js';
import { perScenario } from './per-scenario.js';
import type { DroverWorld } from './world.js';

/** One chunk as it stood on the wire. */
export interface WireChunk {
  id: string;
  data: string;
}

/** A stream that was opened with plain fetch. */
interface WireStream {
  chunks: WireChunk[];
  status: number;
}

const LIMIT_MS = 30_000;
/** The session of a scenario. */
export const openAi = perScenario((world) => new OpenAiSession(world));

/** One application that speaks OpenAI's protocol. */
export class OpenAiSession {
  text = '';
  finishReason: string | null = null;
  usage: OpenAI.CompletionUsage | null | undefined;
  completionId = '';
  /** Kinds of the chunks in their order: role, content, finish, usage. */
  kinds: string[] = [];
  refusal: APIError | undefined;
  wire: WireChunk[] = [];
  lastStatus = 0;

  constructor(private readonly world: DroverWorld) {}

  /** The client as an application has it. */
  client(key = this.world.stack.key): OpenAI {
    return new OpenAI({
      baseURL: `${this.world.client.url}/v1`,
      apiKey: key,
      maxRetries: 0,
      timeout: LIMIT_MS,
    });
  }

  /** Asks for a chat completion and takes it whole. */
  async chat(prompt: string, more: object = {}): Promise<void> {
    const completion = await this.client().chat.completions.create({
      ...chatBody(prompt),
      ...more,
      stream: false,
    });
    this.completionId = completion.id;
    this.text = completion.choices[0]?.message.content ?? '';
    this.finishReason = completion.choices[0]?.finish_reason ?? null;
    this.usage = completion.usage;
  }

  /** Streams a chat completion to its end. */
  async streamChat(prompt: string, more: object = {}): Promise<void> {
    const body = {
      ...chatBody(prompt),
      ...more,
      stream: true as const,
      stream_options: { include_usage: true },
    };
    for await (const chunk of await this.client().chat.completions.create(body)) {
      const [choice] = chunk.choices;
      this.completionId = chunk.id;
      this.kinds.push(kindOf(choice));
      this.text += choice?.delta.content ?? '';
      this.finishReason = choice?.finish_reason ?? this.finishReason;
      this.usage = chunk.usage ?? this.usage;
    }
  }

  /** Completes a text, whole or streamed. */
  async complete(prompt: string, stream: boolean): Promise<void> {
    const body = { model: 'demo', prompt, temperature: 0, max_tokens: 200 };
    if (stream) {
      for await (const chunk of await this.client().completions.create({ ...body, stream })) {
        this.text += chunk.choices[0]?.text ?? '';
      }
    } else {
      this.text = (await this.client().completions.create({ ...body, stream })).choices[0]?.text ?? '';
    }
  }

  /** The ids that the list of models has. */
  async models(): Promise<string[]> {
    const ids: string[] = [];
    for await (const model of this.client().models.list()) ids.push(model.id);
    return ids;
  }

  /** One model by its id. */
  model(id: string): Promise<OpenAI.Models.Model> {
    return this.client().models.retrieve(id);
  }

  /** Asks for what is refused, and keeps the refusal. */
  async expectRefusal(more: object, key?: string): Promise<void> {
    const body = { ...chatBody('Tell me about the sea.'), ...more, stream: false as const };
    this.refusal = await this.client(key)
      .chat.completions.create(body)
      .then(
        () => assert.fail('the request was not refused'),
        (err: unknown) => {
          assert.ok(err instanceof APIError, String(err));
          return err;
        },
      );
  }

  /** Opens a stream with plain fetch and reads `chunks` of it, then leaves; without a number, to its end. */
  async readWire(
    ask: { method: 'GET' | 'POST'; path: string; body?: object; headers?: Record<string, string> },
    chunks = Infinity,
  ): Promise<WireStream> {
    const leave = new AbortController();
    const response = await fetch(`${this.world.client.url}${ask.path}`, {
      method: ask.method,
      headers: {
        authorization: `Bearer ${this.world.stack.key}`,
        'content-type': 'application/json',
        ...ask.headers,
      },
      ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
      signal: AbortSignal.any([leave.signal, AbortSignal.timeout(LIMIT_MS)]),
    });
    this.lastStatus = response.status;
    const stream: WireStream = { status: response.status, chunks: [] };
    let rest = '';
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      const events = (rest + decoder.decode(bytes as Uint8Array, { stream: true })).split('\n\n');
      rest = events.pop() ?? '';
      stream.chunks.push(...events.flatMap(wireChunk));
      if (stream.chunks.length >= chunks) break;
    }
    leave.abort();
    return { ...stream, chunks: stream.chunks.slice(0, chunks) };
  }

  /** Body of a streamed chat that runs for a while. */
  longChat(maxTokens: number): object {
    const options = { stream: true, max_tokens: maxTokens, stream_options: { include_usage: true } };
    return { ...chatBody('Tell me something endless.'), ...options };
  }

  /** Asks for a whole chat under an idempotency key's task id, and leaves when the task runs. */
  async leaveWhole(maxTokens: number): Promise<void> {
    const leave = new AbortController();
    const correlationId = randomUUID();
    const answer = fetch(`${this.world.client.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.world.stack.key}`,
        'content-type': 'application/json',
        'x-correlation-id': correlationId,
      },
      body: JSON.stringify({ ...this.longChat(maxTokens), stream: false }),
      signal: leave.signal,
    }).then(
      () => 'answered',
      () => 'left',
    );
    const query = `CorrelationId = "${correlationId}"`;
    this.completionId = await eventually(
      () => `a task with the correlation id ${correlationId}`,
      async () => (await this.world.temporal.search(query))[0]?.replace(/^task:/, 'chatcmpl-'),
    );
    await this.taskBecomes(['executing']);
    leave.abort();
    assert.equal(await answer, 'left');
  }

  /** Waits until the completion's task is in one of these states. */
  async taskBecomes(states: readonly string[]): Promise<string> {
    const taskId = this.completionId.replace(/^chatcmpl-/, '');
    let last = '';
    return eventually(
      () => `task ${taskId} to be ${states.join(' or ')}, it is ${last}`,
      async () => {
        const { json } = await this.world.client.request('GET', `/v2/tasks/${taskId}`);
        last = (json as { state: string }).state;
        return states.includes(last) ? last : undefined;
      },
    );
  }
}

function chatBody(prompt: string) {
  const messages = [{ role: 'user' as const, content: prompt }];
  return { model: 'demo', messages, temperature: 0 };
}

function wireChunk(event: string): WireChunk[] {
  const [, id, data] = /^id: (\S+)\ndata: (.*)$/s.exec(event) ?? [];
  return id === undefined || data === undefined ? [] : [{ id, data }];
}

function kindOf(choice: OpenAI.ChatCompletionChunk.Choice | undefined): string {
  if (choice === undefined) return 'usage';
  if (choice.finish_reason !== null) return 'finish';
  return choice.delta.role === undefined ? 'content' : 'role';
}

/** Id of the completion that wire chunks belong to. */
export function idOfWire(chunks: readonly WireChunk[]): string {
  return (JSON.parse(chunks[0]?.data ?? '{}') as { id: string }).id;
}
