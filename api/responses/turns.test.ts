import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { responsesRequest } from '../../contracts/responses.js';
import { responseTask } from './to-task.js';
import { toolUseOf, turnsOf } from './turns.js';

const TOOL = { type: 'function' as const, name: 'get_tide', parameters: { type: 'object' }, strict: true };
const call = (call_id: string) =>
  ({ type: 'function_call', call_id, name: 'get_tide', arguments: '{}' }) as const;
const asCall = (id: string) => ({ id, type: 'function', function: { name: 'get_tide', arguments: '{}' } });

describe('items of a response', () => {
  it('are turns: words, calls in a row with the words before them, and what tools said', () => {
    const turns = turnsOf([
      { role: 'developer', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'The ' },
          { type: 'input_text', text: 'tide?' },
        ],
      },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Let me see.' }] },
      ...[call('c0'), call('c1')],
      { type: 'function_call_output', call_id: 'c0', output: 'high' },
      { type: 'function_call_output', call_id: 'c1', output: [{ type: 'input_text', text: 'low' }] },
      call('c2'),
    ]);
    assert.deepEqual(turns, [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'The tide?' },
      { role: 'assistant', content: 'Let me see.', tool_calls: [asCall('c0'), asCall('c1')] },
      { role: 'tool', tool_call_id: 'c0', content: 'high' },
      { role: 'tool', tool_call_id: 'c1', content: 'low' },
      { role: 'assistant', content: '', tool_calls: [asCall('c2')] },
    ]);
  });

  it('may use tools, in the words of a chat; none, or the choice of none, is as if there were none', () => {
    const { type: _, ...named } = TOOL;
    assert.deepEqual(toolUseOf([TOOL], { type: 'function', name: 'get_tide' }, false), {
      tools: [{ type: 'function', function: named }],
      tool_choice: { type: 'function', function: { name: 'get_tide' } },
      parallel_tool_calls: false,
    });
    assert.equal(toolUseOf([], 'auto', undefined), undefined);
    assert.equal(toolUseOf([TOOL], 'none', undefined), undefined);
  });

  it('tools go to the engine with the turns, and are repeated by the response', () => {
    const body = responsesRequest.parse({
      model: 'demo',
      input: 'a',
      tools: [TOOL],
      tool_choice: 'required',
    });
    const wishes = { idempotencyKey: undefined, sessionId: undefined, identity: null, maxOutputTokens: 9 };
    const { input, dialect } = responseTask(body, [{ role: 'user', content: 'a' }], wishes);
    assert.ok(input.kind === 'chat');
    assert.deepEqual([input.tool_use?.tool_choice, input.tool_use?.tools.length], ['required', 1]);
    assert.deepEqual([dialect?.response?.tools, dialect?.response?.tool_choice], [[TOOL], 'required']);
  });
});
