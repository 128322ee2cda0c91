/** What a scenario does about vectors: with OpenAI's own client, and with plain fetch where that client hides the wire. */
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { eventually } from '../../testing/changes.js';
import type { Answer } from './api-client.js';
import { perScenario } from './per-scenario.js';
import type { DroverWorld } from './world.js';

/** Body of an answer, as it stands on the wire. */
interface WireVectors {
  data: { index: number; embedding: number[] | string }[];
  usage: { prompt_tokens: number; total_tokens: number };
}

const LIMIT_MS = 30_000;
/** The client of a scenario. */
export const vectorClient = perScenario((world) => new VectorClient(world));

/** An application that asks for vectors. */
export class VectorClient {
  texts: string[] = [];
  /** As OpenAI's client gives them, in the order of the answer. */
  vectors: number[][] = [];
  indexes: number[] = [];
  usage: OpenAI.CreateEmbeddingResponse.Usage | undefined;
  taskId = '';
  /** Of plain requests, in their order. */
  answers: Answer[] = [];

  constructor(private readonly world: DroverWorld) {}

  /** Asks as the package does by default: in base64, which it decodes. */
  async ask(texts: string[]): Promise<void> {
    const client = new OpenAI({
      baseURL: `${this.world.client.url}/v1`,
      apiKey: this.world.stack.key,
      maxRetries: 0,
      timeout: LIMIT_MS,
    });
    const asked = client.embeddings.create({ model: 'demo', input: texts });
    const { data, response } = await asked.withResponse();
    this.texts = texts;
    this.vectors = data.data.map(({ embedding }) => embedding);
    this.indexes = data.data.map(({ index }) => index);
    this.usage = data.usage;
    this.taskId = response.headers.get('x-task-id') ?? '';
  }

  /** The vector of one input by itself, in the format that is asked for. */
  async alone(input: string | number[], encoding_format?: string): Promise<number[]> {
    const { status, json, text } = await this.post({
      input,
      ...(encoding_format ? { encoding_format } : {}),
    });
    assert.equal(status, 200, text);
    const { embedding } = (json as WireVectors).data[0] ?? {};
    const format = encoding_format ?? 'float';
    assert.equal(typeof embedding, format === 'base64' ? 'string' : 'object');
    return typeof embedding === 'string' ? floatsOf(embedding) : (embedding ?? []);
  }

  /** Token ids of a text, as the engine itself cuts it. */
  async idsOf(content: string): Promise<number[]> {
    const { url } = await this.world.stack.pool.handoff();
    const body = JSON.stringify({ content, add_special: true });
    const response = await fetch(`${url}/tokenize`, { method: 'POST', body });
    return ((await response.json()) as { tokens: number[] }).tokens;
  }

  /** A plain request; an error is the scenario's own business. */
  async post(more: object, headers: Record<string, string> = {}, path = '/v1/embeddings'): Promise<Answer> {
    const answer = await this.world.client.request('POST', path, {
      body: { model: 'demo', ...more },
      headers,
    });
    this.answers.push(answer);
    return answer;
  }

  /** The answer that came last. */
  get last(): Answer {
    const last = this.answers.at(-1);
    assert.ok(last !== undefined, 'nothing has been asked');
    return last;
  }

  /** Waits until the task of the vectors is in this state. */
  async taskBecomes(state: string): Promise<void> {
    let last = '';
    await eventually(
      () => `task ${this.taskId} to be ${state}, it is ${last}`,
      async () => {
        const { json } = await this.world.client.request('GET', `/v2/tasks/${this.taskId}`);
        last = (json as { state: string }).state;
        return last === state ? true : undefined;
      },
    );
  }
}

/** The numbers of a vector in base64: little-endian 32-bit floats. */
export function floatsOf(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}

/** Of two vectors of length 1: 1 where they are the same, 0 where they have nothing in common. */
export function similarity(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0);
}
