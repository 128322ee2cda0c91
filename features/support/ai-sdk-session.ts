/** What a scenario does with Vercel's AI SDK, unchanged. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, generateText, Output, streamText, type LanguageModel, type ModelMessage } from 'ai';
import { z } from 'zod';
import { eventually } from '../../testing/changes.js';
import { perScenario } from './per-scenario.js';
import type { DroverWorld } from './world.js';

const LIMIT_MS = 30_000;
/** The session of a scenario. */
export const aiSdk = perScenario((world) => new AiSdkSession(world));

interface Answered {
  text: string;
  finishReason: string;
  usage: { inputTokens: number | undefined; outputTokens: number | undefined };
  response: { id: string };
}

/** One application on the AI SDK. */
export class AiSdkSession {
  /** Every answer, in order. */
  readonly answers: Answered[] = [];
  pieces: string[] = [];
  object: unknown;
  refusal: APICallError | undefined;
  private leftTask = '';

  constructor(private readonly world: DroverWorld) {}

  /** The last answer. */
  get last(): Answered {
    return this.answers.at(-1) ?? assert.fail('there is no answer');
  }

  /** Id of the task that the last answer came from, or of the one that was left. */
  get taskId(): string {
    return this.leftTask === '' ? this.last.response.id.replace(/^(resp_|chatcmpl-)/, '') : this.leftTask;
  }

  /** Generates a text. */
  async generate(how: string, prompt: string, more: object = {}): Promise<void> {
    this.answers.push(await generateText({ ...this.callOf(how), prompt, ...more }));
  }

  /** Says one thing and then another in one talk. */
  async talk(how: string, first: string, second: string): Promise<void> {
    const messages: ModelMessage[] = [{ role: 'user', content: first }];
    const answer = await generateText({ ...this.callOf(how), messages });
    messages.push(...answer.response.messages, { role: 'user', content: second });
    this.answers.push(answer, await generateText({ ...this.callOf(how), messages }));
  }

  /** Generates an object with one boolean. */
  async generateObject(how: string, name: string): Promise<void> {
    const output = Output.object({ schema: z.object({ [name]: z.boolean() }) });
    const call = { ...this.callOf(how), prompt: 'Tell me about the sea.', maxOutputTokens: 200 };
    this.object = (await generateText({ ...call, output })).output;
  }

  /** Streams a text to its end. */
  async stream(how: string, prompt: string): Promise<void> {
    const result = streamText({ ...this.callOf(how), prompt });
    for await (const piece of result.textStream) this.pieces.push(piece);

    this.answers.push({
      text: this.pieces.join(''),
      finishReason: await result.finishReason,
      usage: await result.usage,
      response: await result.response,
    });
  }

  /** Streams a text that does not end by itself, and aborts it. */
  async abort(how: string, prompt: string, pieces: number): Promise<void> {
    const leave = new AbortController();
    const correlationId = randomUUID();
    const call = { ...this.callOf(how), abortSignal: leave.signal, maxOutputTokens: 3_800 };
    const result = streamText({ ...call, prompt, headers: { 'x-correlation-id': correlationId } });
    for await (const piece of result.textStream) if (this.pieces.push(piece) === pieces) leave.abort();
    this.leftTask = await eventually(
      () => `a task with the correlation id ${correlationId}`,
      async () =>
        (await this.world.temporal.search(`CorrelationId = "${correlationId}"`))[0]?.replace(/^task:/, ''),
    );
  }

  /** Is refused a model. */
  async refused(how: string, model: string): Promise<void> {
    const call = { ...this.callOf(how, model), prompt: 'Hello' };
    await assert.rejects(generateText(call), (err) => {
      assert.ok(APICallError.isInstance(err), String(err));
      this.refusal = err;
      return true;
    });
  }

  /** Greedy: the demo model then says its texts word for word. */
  private callOf(how: string, model = 'demo') {
    return {
      model: this.modelOf(how, model),
      temperature: 0,
      maxRetries: 0,
      abortSignal: AbortSignal.timeout(LIMIT_MS),
    };
  }

  private modelOf(how: string, model: string): LanguageModel {
    const provider = createOpenAI({ baseURL: `${this.world.client.url}/v1`, apiKey: this.world.stack.key });
    return how === 'chat model' ? provider.chat(model) : provider(model);
  }
}
