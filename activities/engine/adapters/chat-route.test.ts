/**
 * Answers with tools as chat routes give them: llama-server's as llama.cpp's own server sent them (xllamacpp 2026.10.11549,
 * function calling as in github.com/ggml-org/llama.cpp, docs/function-calling.md), vLLM's as its guide and
 * `DeltaToolCall` of vllm/entrypoints/openai/engine/protocol.py have them (docs.vllm.ai/en/v0.33.0/features/tool_calling), TGI's as
 * router/src/chat.rs makes them (github.com/huggingface/text-generation-inference, 3.3), any other as OpenAI's reference has
 * them (platform.openai.com/docs/api-reference/chat-streaming).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatInput } from '../../../contracts/node.js';
import {
  enginesOfTests,
  event,
  gather,
  json,
  textOf,
  type EngineRoute,
} from '../../../testing/engine-routes.js';
import type { EngineEvent } from './engine-adapter.js';

const signal = () => AbortSignal.timeout(5_000);
const models: EngineRoute = (_body, res) => json(res, { object: 'list', data: [{ id: 'llama' }] });
const CHAT = '/v1/chat/completions';
const DONE = 'data: [DONE]\n\n';

const tool = {
  type: 'function' as const,
  function: { name: 'get_tide', parameters: { type: 'object', properties: { high: { type: 'boolean' } } } },
};
const input: ChatInput = {
  kind: 'chat',
  messages: [
    { role: 'user', content: 'Is it high?' },
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_tide', arguments: '{}' } }],
    },
    { role: 'tool', content: 'no', tool_call_id: 'call_1' },
  ],
  tool_use: { tools: [tool], tool_choice: 'required', parallel_tool_calls: false },
};
const decoding = { maxTokens: 50, temperature: 0, topP: 1, seed: 7 };

const delta = (content: object, finish_reason: string | null = null) =>
  event({ object: 'chat.completion.chunk', choices: [{ finish_reason, index: 0, delta: content }] });
const usage = event({ choices: [], usage: { prompt_tokens: 90, completion_tokens: 27, total_tokens: 117 } });
const piece = (args: string, rest: object = {}) =>
  delta({ tool_calls: [{ index: 0, ...rest, function: { arguments: args } }] });
const begins = (id: string, name: string, args: string, index = 0) =>
  delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }] });

/** An adapter of a kind that answers by a route, and what it asked. */
async function chatting<Adapter>(
  engine: (routes: Record<string, EngineRoute>) => Promise<Adapter>,
  answer: EngineRoute,
) {
  const asked: Record<string, unknown>[] = [];
  const adapter = await engine({
    '/v1/models': models,
    [CHAT]: (body, res, req) => {
      asked.push(body);
      answer(body, res, req);
    },
  });
  return { adapter, asked };
}

const callsOf = (events: readonly EngineEvent[]) =>
  events.flatMap((said) => (said.kind === 'tokens' && said.toolCall !== undefined ? [said.toolCall] : []));
const endOf = (events: readonly EngineEvent[]) => {
  const end = events.at(-1);
  return end?.kind === 'end' ? end : undefined;
};

const llamacpp = enginesOfTests('llamacpp');
const vllm = enginesOfTests('vllm');
const tgi = enginesOfTests('tgi');
const openai = enginesOfTests('openai');

test('llama-server gets turns and tools on its chat route, and its call comes in pieces with id and name once', async () => {
  const { adapter, asked } = await chatting(llamacpp, (_body, res) => {
    res.write(delta({ role: 'assistant', content: null }));
    res.write(begins('n9jaRgsIqPzwwLbsfTauFvYO6kXDoKwu', 'get_tide', '{'));
    res.write(piece(' "high": tr') + piece('ue }'));
    res.end(delta({}, 'tool_calls') + usage + DONE);
  });
  const events = await gather(adapter.answerWithTools({ ...decoding, input }, signal()));
  assert.deepEqual(callsOf(events), [
    { index: 0, id: 'n9jaRgsIqPzwwLbsfTauFvYO6kXDoKwu', name: 'get_tide', arguments: '{' },
    { index: 0, arguments: ' "high": tr' },
    { index: 0, arguments: 'ue }' },
  ]);
  assert.deepEqual(endOf(events), {
    ...{ kind: 'end', stopReason: 'EOS', stopSequence: null },
    ...{ tokensIn: 90, tokensOut: 27 },
  });
  assert.deepEqual(asked, [
    {
      ...{ messages: input.messages, tools: [tool], tool_choice: 'required', parallel_tool_calls: false },
      ...{ max_tokens: 50, temperature: 0, top_p: 1, seed: 7, reasoning_format: 'none' },
      ...{ stream: true, stream_options: { include_usage: true } },
    },
  ]);
});

test('llama-server, which knows no choice by name, gets that tool alone and must call it', async () => {
  const { adapter, asked } = await chatting(llamacpp, (_body, res) => res.end(delta({}, 'stop') + DONE));
  const other = { type: 'function' as const, function: { name: 'get_wind' } };
  const tool_use = { tools: [tool, other], tool_choice: other };
  await gather(adapter.answerWithTools({ ...decoding, input: { ...input, tool_use } }, signal()));
  assert.deepEqual([asked[0]?.['tools'], asked[0]?.['tool_choice']], [[other], 'required']);
});

test('llama-server counts a prompt with its tools, and refuses them where the template knows none', async () => {
  let caps: object | undefined;
  const rendered: Record<string, unknown>[] = [];
  const adapter = await llamacpp({
    '/props': (_body, res) => json(res, caps === undefined ? {} : { chat_template_caps: caps }),
    '/apply-template': (body, res) => {
      rendered.push(body);
      json(res, { prompt: 'with tools' });
    },
    '/tokenize': (_body, res) => json(res, { tokens: [1, 2, 3] }),
  });
  assert.deepEqual(await adapter.tokenize(input, signal()), [1, 2, 3]);
  assert.deepEqual([rendered.length, rendered[0]?.['tools']], [1, [tool]]);
  await adapter.check?.({ input }, signal());
  caps = { supports_tools: false, supports_tool_calls: true };
  await adapter.check?.({ input }, signal());
  caps = { supports_tools: false, supports_tool_calls: false };
  await assert.rejects(async () => adapter.check?.({ input }, signal()), {
    code: 'INVALID_PARAMS',
    message: /^tools: /,
  });
  const { tool_use: _tools, ...plain } = input;
  await adapter.check?.({ input: plain, logprobs: 2 }, signal());
});

test("vLLM's calls come by its chat route, several of them one after the other, and its prompt is cut with the tools", async () => {
  const { adapter, asked } = await chatting(vllm, (_body, res) => {
    res.write(delta({ role: 'assistant', content: '' }) + delta({ content: 'Let me see.' }));
    res.write(begins('chatcmpl-tool-1', 'get_tide', '') + piece('{}'));
    res.write(begins('chatcmpl-tool-2', 'get_tide', '{}', 1));
    res.end(delta({}, 'tool_calls') + usage + DONE);
  });
  const events = await gather(adapter.answerWithTools({ ...decoding, input }, signal()));
  assert.equal(textOf(events), 'Let me see.');
  assert.deepEqual(callsOf(events), [
    { index: 0, id: 'chatcmpl-tool-1', name: 'get_tide', arguments: '' },
    { index: 0, arguments: '{}' },
    { index: 1, id: 'chatcmpl-tool-2', name: 'get_tide', arguments: '{}' },
  ]);
  assert.deepEqual([asked[0]?.['model'], asked[0]?.['tools']], ['llama', [tool]]);
  let cut: Record<string, unknown> = {};
  const counting = await vllm({
    '/v1/models': models,
    '/tokenize': (body, res) => {
      cut = body;
      json(res, { count: 1, max_model_len: 8192, tokens: [5] });
    },
  });
  assert.deepEqual(await counting.tokenize(input, signal()), [5]);
  assert.deepEqual(cut['tools'], [tool]);
});

test("TGI's call gets an id of its own, and the call that its last chunk begins again is left out", async () => {
  const { adapter, asked } = await chatting(tgi, (_body, res) => {
    const of = (name: string | null, args: string, finish: string | null = null) =>
      delta(
        {
          role: 'assistant',
          tool_calls: [{ index: 0, id: '0', type: 'function', function: { name, arguments: args } }],
        },
        finish,
      );
    res.write(of('get_tide', '{') + of(null, ' "high":') + of(null, ' true}'));
    res.end(of('get_tide', '{', 'stop') + usage + DONE);
  });
  const events = await gather(adapter.complete({ ...decoding, input, said: '' }, signal()));
  const [first, ...rest] = callsOf(events);
  assert.match(first?.id ?? '', /^call_[0-9a-f-]{36}$/);
  assert.deepEqual([first?.name, first?.arguments], ['get_tide', '{']);
  assert.deepEqual(
    rest.map((more) => more.arguments),
    [' "high":', ' true}'],
  );
  assert.equal(endOf(events)?.stopReason, 'EOS');
  // Its router refuses a top_p of 1.
  assert.deepEqual([asked[0]?.['top_p'], asked[0]?.['tool_choice']], [undefined, 'required']);
});

test("any server in OpenAI's words is asked the same, and gives no call without a name", async () => {
  const { adapter, asked } = await chatting(openai, (_body, res) =>
    res.end(begins('call_abc', 'get_tide', '{}') + delta({}, 'tool_calls') + DONE),
  );
  const events = await gather(adapter.complete({ ...decoding, input, said: '' }, signal()));
  assert.deepEqual(callsOf(events), [{ index: 0, id: 'call_abc', name: 'get_tide', arguments: '{}' }]);
  assert.deepEqual(asked[0]?.['messages'], input.messages);
  const nameless = await chatting(openai, (_body, res) => res.end(piece('{}') + DONE));
  await assert.rejects(gather(nameless.adapter.complete({ ...decoding, input, said: '' }, signal())), {
    code: 'WORKER_RESET',
  });
});

test("what an engine cannot do with tools is the client's to mend, by the field's name, and its words stay with us", async () => {
  const said =
    'secret: "auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set';
  const { adapter } = await chatting(vllm, (_body, res) =>
    json(res, { error: { message: said, type: 'BadRequestError', param: null, code: 400 } }, 400),
  );
  await assert.rejects(gather(adapter.answerWithTools({ ...decoding, input }, signal())), (err: unknown) => {
    const { code, message, extras } = err as { code: string; message: string; extras: { details: object[] } };
    assert.equal(code, 'INVALID_PARAMS');
    assert.deepEqual((extras.details[0] as { field: string }).field, 'tools');
    return !message.includes('secret');
  });
});
