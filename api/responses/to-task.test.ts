import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { responsesRequest, type ResponsesRequest } from '../../contracts/responses.js';
import { responseTask } from './to-task.js';

const wishes = { idempotencyKey: undefined, sessionId: undefined, identity: null, maxOutputTokens: 4096 };
const bodyOf = (more: object = {}): ResponsesRequest =>
  responsesRequest.parse({ model: 'demo', input: 'Hello', ...more });
const taskOf = (more: object = {}) =>
  responseTask(bodyOf(more), [{ role: 'user', content: 'Hello' }], wishes);
const problemsOf = (more: object) =>
  responsesRequest
    .safeParse({ model: 'demo', input: 'Hello', ...more })
    .error?.issues.map(({ path }) => path.join('.'));

describe('a request for a response', () => {
  it('puts its instructions before all turns', () => {
    assert.deepEqual(taskOf({ instructions: 'Be brief.' }).input, {
      kind: 'chat',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello' },
      ],
    });
  });

  it('has its limits and its sampling, and without a limit as much as fits', () => {
    const { request, fitContext } = taskOf({ max_output_tokens: 7, temperature: 0, top_p: 0.5 });
    assert.deepEqual(
      [request.max_tokens, request.temperature, request.top_p, fitContext],
      [7, 0, 0.5, false],
    );
    assert.deepEqual([taskOf().request.max_tokens, taskOf().fitContext], [4096, true]);
  });

  it('binds its text to a format in the words of a chat', () => {
    const schema = { type: 'object' };
    const format = { type: 'json_schema', name: 'n', schema, strict: true };
    assert.deepEqual(taskOf({ text: { format } }).request.response_format, {
      type: 'json_schema',
      json_schema: { name: 'n', schema, strict: true },
    });
    assert.equal(taskOf({ text: { format: { type: 'text' } } }).request.response_format, undefined);
  });

  it('ends with its last reader, unless it is in the background or has a key', () => {
    assert.equal(taskOf().request.cancel_on_disconnect, true);
    const background = taskOf({ background: true }).request;
    assert.equal(background.cancel_on_disconnect, false);
    assert.ok(background.deadline_ms > taskOf().request.deadline_ms);
    const kept = responseTask(bodyOf(), [], { ...wishes, idempotencyKey: 'k' });
    assert.equal(kept.request.cancel_on_disconnect, false);
  });

  it('is repeated by its response, with what is taken for granted', () => {
    const { dialect } = taskOf({ metadata: { a: 'b' }, user: 'someone', instructions: 'Be brief.' });
    assert.deepEqual(dialect?.response, {
      background: false,
      store: true,
      instructions: 'Be brief.',
      max_output_tokens: null,
      metadata: { a: 'b' },
      parallel_tool_calls: true,
      temperature: null,
      text_format: { type: 'text' },
      tool_choice: 'auto',
      tools: [],
      top_p: null,
      user: 'someone',
    });
  });

  for (const [what, more, path] of [
    ['a tool that is no function', { tools: [{ type: 'web_search', name: 'w' }] }, 'tools.0.type'],
    ['an earlier response', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['a conversation', { conversation: 'conv_1' }, 'conversation'],
    ['further output', { include: ['message.output_text.logprobs'] }, 'include'],
    ['reasoning', { reasoning: { effort: 'high' } }, 'reasoning'],
    ['truncation', { truncation: 'auto' }, 'truncation'],
    ['a stored prompt', { prompt: { id: 'p' } }, 'prompt'],
    ['a verbosity', { text: { verbosity: 'low' } }, 'text.verbosity'],
    ['an image', { input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'input'],
    ['the background without storing', { background: true, store: false }, 'background'],
  ] as const)
    it(`is refused by name: ${what}`, () => assert.deepEqual(problemsOf(more), [path]));

  it('may have fields that nobody knows, and those of OpenAI that change no answer', () => {
    const more = {
      safety_identifier: 's',
      prompt_cache_key: 'k',
      service_tier: 'auto',
      tools: [],
      include: [],
    };
    assert.equal(problemsOf({ ...more, previous_response_id: null, top_logprobs: 0 }), undefined);
  });
});
