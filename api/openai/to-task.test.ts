import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatRequest, completionRequest } from '../../contracts/openai.js';
import { taskRequest } from '../../contracts/task.js';
import type { CallerWishes } from '../completions/completion-task.js';
import { chatTask, completionTask } from './to-task.js';

const wishes: CallerWishes = {
  idempotencyKey: undefined,
  sessionId: undefined,
  identity: 'token:abc123',
  maxOutputTokens: 1000,
};
const chat = (changes: object = {}) =>
  chatRequest.parse({ model: 'demo', messages: [{ role: 'user', content: 'hi' }], ...changes });

test('design 7: a chat is an interactive task with five minutes, the context as its ceiling and a session of its own', () => {
  const task = chatTask(chat(), wishes);
  const { request } = task;
  assert.equal(request.priority, 'interactive');
  assert.equal(request.deadline_ms, 300_000);
  assert.equal(task.fitContext, true);
  assert.equal(request.session_id, request.task_id);
  assert.notEqual(chatTask(chat(), wishes).request.task_id, request.task_id);
  assert.ok(taskRequest.safeParse({ ...request, engine: 'llamacpp' }).success);
});

test('C-103: a task is cancelled when its readers leave, unless it has an idempotency key, which names it for good', () => {
  assert.equal(chatTask(chat(), wishes).request.cancel_on_disconnect, true);
  const kept = chatTask(chat(), { ...wishes, idempotencyKey: 'k' });
  assert.equal(kept.request.cancel_on_disconnect, false);
  assert.equal(chatTask(chat(), { ...wishes, idempotencyKey: 'k' }).request.task_id, kept.request.task_id);
  const another = { ...wishes, idempotencyKey: 'k', identity: 'token:ffffff' };
  assert.notEqual(chatTask(chat(), another).request.task_id, kept.request.task_id);
});

test('parameters are carried over, the newer name of the limit first, and never beyond what is allowed here', () => {
  const body = chat({
    max_tokens: 5,
    max_completion_tokens: 7,
    temperature: 0,
    top_p: 0.5,
    seed: 3,
    stop: 'x',
    top_k: 4,
  });
  const { request, fitContext } = chatTask(body, wishes);
  assert.deepEqual(
    [request.max_tokens, request.temperature, request.top_p, request.seed, request.stop, request.sampling],
    [7, 0, 0.5, 3, ['x'], { top_k: 4 }],
  );
  assert.equal(fitContext, false);
  assert.equal(chatTask(chat({ max_tokens: 5000 }), wishes).request.max_tokens, 1000);
});

test('content comes as text or as parts of it, and a developer speaks as the system', () => {
  const body = chat({
    messages: [
      { role: 'developer', content: 'be short' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'assistant', content: null },
    ],
  });
  assert.deepEqual(chatTask(body, wishes).input, {
    kind: 'chat',
    messages: [
      { role: 'system', content: 'be short' },
      { role: 'user', content: 'ab' },
      { role: 'assistant', content: '' },
    ],
  });
});

test('a prompt is text, one text in a list, or token ids', () => {
  const input = (prompt: unknown) =>
    completionTask(completionRequest.parse({ model: 'demo', prompt }), wishes).input;
  assert.deepEqual(input('a'), { kind: 'text', text: 'a' });
  assert.deepEqual(input(['a']), { kind: 'text', text: 'a' });
  assert.deepEqual(input([1, 2]), { kind: 'ids', ids: [1, 2] });
});

test('what is not offered is refused by its name, and what nobody knows is tolerated', () => {
  const refused: [string, object][] = [
    ['n', { n: 2 }],
    ['tools', { tools: [{ type: 'function' }] }],
    ['response_format', { response_format: { type: 'xml' } }],
    ['functions', { functions: [{ name: 'f' }] }],
  ];
  for (const [field, changes] of refused) {
    const parsed = chatRequest.safeParse({
      model: 'demo',
      messages: [{ role: 'user', content: 'hi' }],
      ...changes,
    });
    assert.equal(parsed.error?.issues[0]?.path[0], field);
  }
  const tolerated = {
    metadata: { a: 1 },
    store: true,
    service_tier: 'auto',
    tools: [],
    n: 1,
  };
  assert.equal(chat(tolerated).model, 'demo');
});

test("the format of an answer is the task's own", () => {
  const json_schema = { name: 'n', schema: { type: 'object' }, strict: true };
  for (const response_format of [
    { type: 'text' },
    { type: 'json_object' },
    { type: 'json_schema', json_schema },
  ])
    assert.deepEqual(chatTask(chat({ response_format }), wishes).request.response_format, response_format);
  assert.equal('response_format' in chatTask(chat({}), wishes).request, false);
});

const tool = { type: 'function', function: { name: 'get_tide', parameters: { type: 'object' } } };
const toolUse = (changes: object) => {
  const { input } = chatTask(chat(changes), wishes);
  return input.kind === 'chat' ? input.tool_use : assert.fail('a chat has turns');
};

test('tools go with the turns, as they were given; none of them, or none to be called, is as if there were none', () => {
  const choice = { tool_choice: 'required', parallel_tool_calls: false };
  assert.deepEqual(toolUse({ tools: [tool], ...choice }), { tools: [tool], ...choice });
  assert.deepEqual(toolUse({ tools: [tool] }), { tools: [tool] });
  for (const none of [{}, { tools: [] }, { tools: null }, { tools: [tool], tool_choice: 'none' }])
    assert.equal(toolUse(none), undefined);
});

test('calls of earlier answers, and what the tools said to them, are part of the turns', () => {
  const tool_calls = [{ id: 'call_1', type: 'function', function: { name: 'get_tide', arguments: '{}' } }];
  const messages = [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: null, tool_calls },
    { role: 'tool', tool_call_id: 'call_1', content: 'high' },
  ];
  assert.deepEqual(chatTask(chat({ messages }), wishes).input, {
    kind: 'chat',
    messages: [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: '', tool_calls },
      { role: 'tool', tool_call_id: 'call_1', content: 'high' },
    ],
  });
});

test('log probabilities are asked for by their number: of a chat by two fields, of a text by one', () => {
  const ofChat = (changes: object) => chatTask(chat(changes), wishes).request.logprobs;
  const ofText = (changes: object) =>
    completionTask(completionRequest.parse({ model: 'demo', prompt: 'a', ...changes }), wishes).request
      .logprobs;
  assert.deepEqual([ofChat({ logprobs: true, top_logprobs: 3 }), ofChat({ logprobs: true })], [3, 0]);
  assert.deepEqual([ofChat({ logprobs: false, top_logprobs: 0 }), ofChat({})], [undefined, undefined]);
  assert.deepEqual([ofText({ logprobs: 5 }), ofText({ logprobs: 0 }), ofText({})], [5, 0, undefined]);
});

test('what tools and log probabilities cannot mean is refused where it stands', () => {
  const nameless = { type: 'function', function: { parameters: { type: 'object' } } };
  const odd = { type: 'function', function: { name: 'f', parameters: 'object' } };
  const spaced = { type: 'function', function: { name: 'get tide' } };
  const named = (name: string) => ({ tool_choice: { type: 'function', function: { name } } });
  const unanswered = [{ role: 'tool', content: 'high' }];
  const halfCalled = [{ role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: {} }] }];
  const rows: [string, object][] = [
    ['tools.0.function.name', { tools: [nameless] }],
    ['tools.0.function.name', { tools: [spaced] }],
    ['tools.0.function.parameters', { tools: [odd] }],
    ['tools.0.type', { tools: [{ ...tool, type: 'custom' }] }],
    ['tools', { tools: [tool, tool] }],
    ['tools', { tools: Array.from({ length: 129 }, () => tool) }],
    ['tool_choice', { tool_choice: 'required' }],
    ['tool_choice', { tools: [tool], ...named('other') }],
    ['tool_choice', { tools: [tool], tool_choice: 'sometimes' }],
    ['messages.0.tool_call_id', { messages: unanswered }],
    ['messages.0.tool_calls.0.function.name', { messages: halfCalled }],
    ['logprobs', { tools: [tool], logprobs: true }],
    ['top_logprobs', { top_logprobs: 2 }],
    ['top_logprobs', { logprobs: true, top_logprobs: 21 }],
  ];
  for (const [field, changes] of rows) {
    const body = { model: 'demo', messages: [{ role: 'user', content: 'hi' }], ...changes };
    const [issue] = chatRequest.safeParse(body).error?.issues ?? [];
    assert.equal(issue?.path.join('.'), field, JSON.stringify(changes));
  }
  assert.ok(chatRequest.safeParse({ ...chat(), tools: [tool], ...named('get_tide') }).success);
  assert.equal(completionRequest.safeParse({ model: 'demo', prompt: 'a', logprobs: 6 }).success, false);
});
