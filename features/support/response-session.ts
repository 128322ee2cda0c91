/** What a scenario does with responses, by OpenAI's own client, unchanged. */
import assert from 'node:assert/strict';
import OpenAI, { APIError } from 'openai';
import type { Response, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { eventually } from '../../testing/changes.js';
import { perScenario } from './per-scenario.js';
import type { DroverWorld } from './world.js';

const LIMIT_MS = 30_000;
/** The session of a scenario. */
export const responses = perScenario((world) => new ResponseSession(world));

/** One application that asks for responses. */
export class ResponseSession {
  /** Events of the stream, in order, over all visits. */
  events: ResponseStreamEvent[] = [];
  refusal: APIError | undefined;
  private last: Response | undefined;

  constructor(private readonly world: DroverWorld) {}

  /** The response as it was last seen. */
  get response(): Response {
    return this.last ?? assert.fail('there is no response');
  }

  /** Its text, which stands in its messages. */
  get text(): string {
    const parts = this.response.output.flatMap((item) => (item.type === 'message' ? item.content : []));
    return parts.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
  }

  private get client(): OpenAI {
    const { stack, client } = this.world;
    return new OpenAI({ baseURL: `${client.url}/v1`, apiKey: stack.key, maxRetries: 0, timeout: LIMIT_MS });
  }

  /** Asks for a response and takes it whole. */
  async ask(input: string, more: object = {}): Promise<void> {
    this.last = await this.client.responses.create({ ...bodyOf(input), ...more });
  }

  /** Streams a response. @param most - leaves after so many events */
  async stream(input: string, more: object = {}, most = Infinity): Promise<void> {
    const body = { ...bodyOf(input), ...more, stream: true as const };
    await this.read(await this.client.responses.create(body), most);
  }

  /** Streams a response by the client's helper, which puts it together itself. */
  async streamWithHelper(input: string): Promise<void> {
    this.last = await this.client.responses.stream(bodyOf(input)).finalResponse();
  }

  /** Goes on with the stream where it was left. */
  async comeBack(): Promise<void> {
    const starting_after = this.events.at(-1)?.sequence_number ?? assert.fail('nothing was read');
    await this.read(await this.client.responses.retrieve(this.response.id, { stream: true, starting_after }));
  }

  /** The events of somebody who never left. */
  async undisturbed(): Promise<ResponseStreamEvent[]> {
    const events: ResponseStreamEvent[] = [];
    const stream = await this.client.responses.retrieve(this.response.id, { stream: true });
    for await (const event of stream) events.push(event);
    return events;
  }

  /** Looks at the response until it is in this state. */
  async becomes(status: string): Promise<void> {
    await eventually(
      () => `the response to be ${status}, it is ${String(this.response.status)}`,
      async () => {
        this.last = await this.client.responses.retrieve(this.response.id);
        return this.last.status === status || undefined;
      },
    );
  }

  /** Cancels the response. */
  async cancel(): Promise<void> {
    this.last = await this.client.responses.cancel(this.response.id);
  }

  /** Does what is refused, and keeps the refusal. */
  async refused(what: (client: OpenAI) => Promise<unknown>): Promise<void> {
    await assert.rejects(what(this.client), (err) => {
      assert.ok(err instanceof APIError, String(err));
      this.refusal = err;
      return true;
    });
  }

  private async read(stream: AsyncIterable<ResponseStreamEvent>, most = Infinity): Promise<void> {
    let count = 0;
    for await (const event of stream) {
      this.events.push(event);
      if ('response' in event) this.last = event.response;
      count += 1;
      if (count >= most) break;
    }
  }
}

/** Greedy: the demo model then says its texts word for word. */
export function bodyOf(input: string) {
  return { model: 'demo', input, temperature: 0 };
}
