import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatRequest, completionRequest } from '../../contracts/openai.js';
import { taskRequest } from '../../contracts/task.js';
import { chatTask, completionTask, type CallerWishes } from './to-task.js';

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
    ['response_format', { response_format: { type: 'json_object' } }],
    ['logprobs', { logprobs: true }],
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
    parallel_tool_calls: true,
    tools: [],
    n: 1,
  };
  assert.equal(chat(tolerated).model, 'demo');
});
