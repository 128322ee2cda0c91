/** OpenAI's client, unchanged, where an answer has more than text: calls to tools, and how likely its tokens were. */
import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import { APIError } from 'openai';
import { openAi, type WireChunk } from './openai-session.js';
import { perScenario } from './per-scenario.js';
import type { DroverWorld } from './world.js';

type Logprob = OpenAI.ChatCompletionTokenLogprob;
type TextLogprobs = OpenAI.CompletionChoice.Logprobs;

const CHAT = '/v1/chat/completions';
const ASKED = [{ role: 'user' as const, content: 'Tell me about the sea.' }];
const parameters = {
  type: 'object',
  properties: { high: { type: 'boolean' } },
  required: ['high'],
  additionalProperties: false,
};
const toolOf = (name: string) => ({ type: 'function' as const, function: { name, parameters } });
/** Arguments that take a slow engine seconds. */
const LONG = {
  ...{ type: 'object', required: ['all'], additionalProperties: false },
  properties: { all: { type: 'array', items: { type: 'boolean' }, minItems: 200 } },
};
/** The tool user of a scenario. */
export const toolUser = perScenario((world) => new ToolUser(world));

/** An application that has tools. */
export class ToolUser {
  calls: OpenAI.ChatCompletionMessageFunctionToolCall[] = [];
  said: string | null = null;
  finishReason = '';
  tokens = 0;
  /** What later answers said. */
  texts: string[] = [];
  /** Arguments that its own function was called with. */
  ran: unknown[] = [];
  failure: unknown;
  reads: WireChunk[][] = [];
  logprobs: Logprob[] = [];
  textLogprobs: TextLogprobs[] = [];

  constructor(private readonly world: DroverWorld) {}

  private get chat() {
    return openAi(this.world).client().chat.completions;
  }

  /** Has a tool called. */
  async call(names: readonly string[], tool_choice: OpenAI.ChatCompletionToolChoiceOption, stream = false) {
    const body = { ...this.body(names), tool_choice };
    const answer = stream
      ? await this.chat
          .stream({ ...body, stream: true, stream_options: { include_usage: true } })
          .finalChatCompletion()
      : await this.chat.create(body);
    const [choice] = answer.choices;
    assert.ok(choice);
    this.calls = (choice.message.tool_calls ?? []).filter((call) => call.type === 'function');
    this.said = choice.message.content;
    this.finishReason = choice.finish_reason;
    this.tokens = answer.usage?.completion_tokens ?? 0;
  }

  /** Has a response call a tool, then tells the next one what that said, its items sent again or named by their ids. */
  async callInResponse(name: string, stream: boolean): Promise<void> {
    const { responses } = openAi(this.world).client();
    const tools = [{ type: 'function' as const, name, parameters, strict: true }];
    const body = { model: 'demo', temperature: 0, tools };
    const first = { ...body, input: ASKED, tool_choice: 'required' as const };
    const { output, usage } = stream
      ? await responses.stream({ ...first, stream: true }).finalResponse()
      : await responses.create(first);
    const items = output.flatMap((item) => (item.type === 'function_call' ? [item] : []));
    this.calls = items.map(({ call_id: id, name: called, arguments: args }) => ({
      ...{ id, type: 'function' },
      function: { name: called, arguments: args },
    }));
    this.tokens = usage?.output_tokens ?? 0;
    const named = output.map(({ id = '' }) => ({ type: 'item_reference' as const, id }));
    const told = items.map(({ call_id }) => ({
      ...{ type: 'function_call_output' as const, call_id },
      output: 'It is the highest of the year.',
    }));
    for (const before of [output, named]) {
      const input = [...ASKED, ...before, ...told, ...ASKED] as OpenAI.Responses.ResponseInput;
      const { output_text } = await responses.create({ ...body, input, tool_choice: 'none' });
      this.texts.push(output_text);
    }
  }

  /** Lets the client's helper call a function, and tells the model what that said. */
  async runTool(name: string): Promise<void> {
    const runner = this.chat.runTools({
      ...{ model: 'demo', messages: ASKED, temperature: 0, stream: true },
      tool_choice: { type: 'function', function: { name } },
      tools: [
        {
          type: 'function',
          function: {
            ...{ name, parameters, description: 'Whether the tide is high.', parse: JSON.parse },
            function: (args: object) => {
              this.ran.push(args);
              return 'It is the highest of the year.';
            },
          },
        },
      ],
    });
    await runner.done();
    const messages = [...runner.messages, ...ASKED];
    assert.deepEqual(
      runner.messages.map(({ role }) => role),
      ['user', 'assistant', 'tool'],
    );
    const answer = await this.chat.create({ ...this.body([name]), messages, tool_choice: 'none' });
    this.said = answer.choices[0]?.message.content ?? null;
    this.calls = (answer.choices[0]?.message.tool_calls ?? []).filter((call) => call.type === 'function');
  }

  /** Reads the stream of a call, and its rest after each of its chunks. */
  async readAgain(): Promise<void> {
    const session = openAi(this.world);
    const body = { ...this.body(['get_tide']), tool_choice: 'required', stream: true };
    const headers = { 'idempotency-key': 'one-call' };
    const read = async (more: object = {}) =>
      (await session.readWire({ method: 'POST', path: CHAT, body, headers: { ...headers, ...more } })).chunks;
    const whole = await read();
    assert.ok(whole.some(({ data }) => data.includes('tool_calls')));
    this.reads.push(whole);
    for (const [at, { id }] of whole.entries())
      this.reads.push([...whole.slice(0, at + 1), ...(await read({ 'last-event-id': id }))]);
  }

  /** Streams a call, and does something amid it. */
  async amidCall(act: () => Promise<void>): Promise<void> {
    const tools = [{ type: 'function' as const, function: { name: 'get_tide', parameters: LONG } }];
    const body = { ...this.body([]), tools, tool_choice: 'required' as const, max_tokens: 1500 };
    let acted: Promise<void> | undefined;
    try {
      for await (const chunk of await this.chat.create({ ...body, stream: true }))
        if (chunk.choices[0]?.delta.tool_calls !== undefined) acted ??= act();
    } catch (err) {
      assert.ok(err instanceof APIError, String(err));
      this.failure = err;
    }
    await acted;
  }

  /** Asks how likely the tokens of a chat were. */
  async likelyChat(content: string, top_logprobs: number, stream: boolean): Promise<void> {
    const messages = [{ role: 'user' as const, content }];
    const body = { ...{ model: 'demo', messages, temperature: 0 }, logprobs: true, top_logprobs };
    if (!stream) this.logprobs = (await this.chat.create(body)).choices[0]?.logprobs?.content ?? [];
    else
      for await (const { choices } of await this.chat.create({ ...body, stream: true }))
        this.logprobs.push(...(choices[0]?.logprobs?.content ?? []));
  }

  /** Asks how likely the tokens of a text were. */
  async likelyText(prompt: string, logprobs: number, stream: boolean): Promise<void> {
    const { completions } = openAi(this.world).client();
    const body = { model: 'demo', prompt, logprobs, temperature: 0, max_tokens: 200 };
    const told: OpenAI.Completion[] = [];
    if (!stream) told.push(await completions.create(body));
    else for await (const part of await completions.create({ ...body, stream: true })) told.push(part);
    this.textLogprobs = told.flatMap(({ choices }) => choices[0]?.logprobs ?? []);
  }

  private body(names: readonly string[]) {
    return {
      ...{ model: 'demo', messages: ASKED, temperature: 0, max_tokens: 100 },
      ...(names.length === 0 ? {} : { tools: names.map(toolOf) }),
    };
  }
}
