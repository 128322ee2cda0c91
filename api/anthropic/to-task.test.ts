import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesRequest } from '../../contracts/anthropic.js';
import { taskRequest } from '../../contracts/task.js';
import { messageTask } from './to-task.js';

const wishes = {
  idempotencyKey: undefined,
  sessionId: undefined,
  identity: 'token:abc123',
  maxOutputTokens: 1000,
};
const asked = (changes: object = {}) =>
  messagesRequest.parse({
    model: 'demo',
    max_tokens: 64,
    messages: [{ role: 'user', content: 'hi' }],
    ...changes,
  });

test('a message is a chat task: its system before all turns, its blocks of text as one', () => {
  const blocks = [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b', cache_control: { type: 'ephemeral' } },
  ];
  const messages = [
    { role: 'user', content: blocks },
    { role: 'assistant', content: 'c' },
  ];
  const task = messageTask(asked({ messages, system: blocks }), wishes);
  assert.deepEqual(task.input, {
    kind: 'chat',
    messages: [
      { role: 'system', content: 'ab' },
      { role: 'user', content: 'ab' },
      { role: 'assistant', content: 'c' },
    ],
  });
  assert.deepEqual(task.dialect, { object: 'message', include_usage: true });
});

test("what it says of sampling and of its end is the task's own", () => {
  const settings = {
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    stop_sequences: ['END'],
    metadata: { user_id: 'u' },
  };
  const { request, fitContext } = messageTask(asked(settings), wishes);
  const { max_tokens, temperature, top_p, sampling, stop } = request;
  assert.deepEqual([max_tokens, temperature, top_p, sampling, stop], [64, 0.5, 0.9, { top_k: 40 }, ['END']]);
  assert.equal(fitContext, false);
  assert.ok(taskRequest.partial({ engine: true }).safeParse(request).success);
});

test('what is not offered is refused by its name', () => {
  const rows: [string, object][] = [
    ['tools', { tools: [{ name: 'f' }] }],
    ['tools', { tools: [{ name: 'get tide', input_schema: {} }] }],
    ['tools', { tools: [{ type: 'web_search_20250305', name: 'web_search', input_schema: {} }] }],
    ['tool_choice', { tool_choice: { type: 'tool' } }],
    ['messages', { messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] }],
    ['messages', { messages: [] }],
    ['max_tokens', { max_tokens: 0 }],
  ];
  for (const [field, changes] of rows) {
    const body = { model: 'demo', max_tokens: 64, messages: [{ role: 'user', content: 'hi' }], ...changes };
    assert.equal(messagesRequest.safeParse(body).error?.issues[0]?.path[0], field);
  }
});

const tool = { name: 'get_tide', description: 'Tells the tide.', input_schema: { type: 'object' } };
const toolUse = (changes: object) => {
  const { input } = messageTask(asked(changes), wishes);
  return input.kind === 'chat' ? input.tool_use : assert.fail('a message has turns');
};

test('tools and the choice of one are told in the words that engines know', () => {
  const known = {
    type: 'function',
    function: { name: 'get_tide', description: 'Tells the tide.', parameters: { type: 'object' } },
  };
  assert.deepEqual(toolUse({ tools: [tool] }), { tools: [known] });
  const rows: [object, unknown][] = [
    [{ type: 'auto' }, 'auto'],
    [{ type: 'any' }, 'required'],
    [
      { type: 'tool', name: 'get_tide' },
      { type: 'function', function: { name: 'get_tide' } },
    ],
  ];
  for (const [tool_choice, choice] of rows)
    assert.deepEqual(toolUse({ tools: [tool], tool_choice }), { tools: [known], tool_choice: choice });
  const alone = { type: 'auto', disable_parallel_tool_use: true };
  assert.equal(toolUse({ tools: [tool], tool_choice: alone })?.parallel_tool_calls, false);
  assert.equal(toolUse({ tools: [tool], tool_choice: { type: 'none' } }), undefined);
  assert.equal(toolUse({ tools: [] }), undefined);
});

test("uses of tools are part of the answer's turn, and what a tool said is a turn of its own, before what the user says", () => {
  const messages = [
    { role: 'user', content: 'is it high?' },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'call_1', name: 'get_tide', input: { at: 'noon' } },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'call_1', content: [{ type: 'text', text: 'high' }] },
        { type: 'text', text: 'and now?' },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_2' }] },
  ];
  const call = { id: 'call_1', type: 'function', function: { name: 'get_tide', arguments: '{"at":"noon"}' } };
  assert.deepEqual(messageTask(asked({ messages }), wishes).input, {
    kind: 'chat',
    messages: [
      { role: 'user', content: 'is it high?' },
      { role: 'assistant', content: 'I look.', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: 'high' },
      { role: 'user', content: 'and now?' },
      { role: 'tool', tool_call_id: 'call_2', content: '' },
    ],
  });
});
