import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeMessage, type WholeMessage } from '../../contracts/anthropic.js';
import type { Frame } from '../../contracts/events.js';
import { chunkWriter, completionOf, parsePlace, taskIdOfCompletion } from '../completions/words.js';
import { at, CALLING, FRAMES, head } from '../testing/sample-completion.js';
import { anthropicErrorOf, speaksAnthropic } from './anthropic-error.js';
import { anthropicWords } from './message-events.js';

const message = head('message');
const write = (frames: readonly Frame[], after?: string) =>
  frames
    .map(chunkWriter(anthropicWords, message, { place: after === undefined ? undefined : parsePlace(after) }))
    .join('');
const eventsOf = (text: string) =>
  text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const [, id, name, data = ''] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(event) ?? [];
      return { id, name, data: JSON.parse(data) as Record<string, unknown> };
    });

test('a message is streamed as its start, one block of text, why it stopped, its figures, and its end', () => {
  const events = eventsOf(write(FRAMES));
  assert.deepEqual(
    events.map(({ name }) => name),
    [
      ...['message_start', 'content_block_start', 'content_block_delta', 'content_block_delta'],
      ...['content_block_stop', 'message_delta', 'message_stop'],
    ],
  );
  for (const { name, data } of events) assert.equal(data['type'], name);
  assert.equal((events[0]?.data['message'] as { id: string }).id, 'msg-t-1');
  assert.deepEqual(
    events.flatMap(({ data }) => (data['type'] === 'content_block_delta' ? [data['delta']] : [])),
    [
      { type: 'text_delta', text: 'Hello' },
      { type: 'text_delta', text: ' ☕' },
    ],
  );
  const { delta, usage } = events[5]?.data ?? {};
  assert.deepEqual(delta, { stop_reason: 'max_tokens', stop_sequence: null });
  assert.deepEqual(usage, { input_tokens: 2, output_tokens: 3 });
});

test('wherever a reader lost its connection, what it had and what follows are the whole message, no event twice', () => {
  const whole = eventsOf(write(FRAMES));
  assert.equal(new Set(whole.map(({ id }) => id)).size, whole.length);
  for (const [index, { id }] of whole.entries())
    assert.deepEqual(eventsOf(write(FRAMES, id)), whole.slice(index + 1));
});

test('a whole message is its text in one block, in the published shape', () => {
  const whole = completionOf(anthropicWords, FRAMES, message);
  assert.deepEqual(wholeMessage.parse(whole), whole);
  assert.deepEqual(whole.content, [{ type: 'text', text: 'Hello ☕' }]);
  assert.equal(taskIdOfCompletion(whole.id), 't-1');
  const end = FRAMES.at(-1);
  assert.ok(end?.type === 'end');
  for (const [stop_reason, sequence, expected] of [
    ['EOS', undefined, ['end_turn', null]],
    ['STOP_SEQUENCE', 'END', ['stop_sequence', 'END']],
  ] as const) {
    const data = {
      ...end.data,
      stop_reason,
      ...(sequence === undefined ? {} : { stop_sequence_matched: sequence }),
    };
    const stopped: WholeMessage = completionOf(
      anthropicWords,
      [...FRAMES.slice(0, -1), { ...end, data }],
      message,
    );
    assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], expected);
  }
});

test('an error is an event of its own, of the type that its status has', () => {
  const data = { code: 'WORKER_RESET', message: 'it broke off', retriable: true } as const;
  const [event] = eventsOf(write([{ ...at(2), type: 'error', data }]));
  assert.equal(event?.name, 'error');
  assert.deepEqual(event.data['error'], { type: 'api_error', message: 'it broke off', code: 'WORKER_RESET' });
  const types = (
    [
      'BAD_TOKEN',
      'BAD_API_KEY',
      'MODEL_NOT_FOUND',
      'ADMISSION_REJECT',
      'POOL_UNREADY',
      'INVALID_PARAMS',
    ] as const
  ).map((code) => anthropicErrorOf({ code, message: '', retriable: false }).error.type);
  assert.deepEqual(types, [
    ...['authentication_error', 'permission_error', 'not_found_error'],
    ...['rate_limit_error', 'overloaded_error', 'invalid_request_error'],
  ]);
});

test('only what is under /v1/messages is answered so', () => {
  for (const url of ['/v1/messages', '/v1/messages?beta=true', '/v1/messages/msg-1'])
    assert.equal(speaksAnthropic(url), true, url);
  for (const url of ['/v1/messagesx', '/v1/models', '/v2/messages'])
    assert.equal(speaksAnthropic(url), false, url);
});

test('each tool that is used is a block after the text, begun and closed in turn, wherever its reader comes back', () => {
  const events = eventsOf(write(CALLING));
  const told = events.map(({ name, data: { index, content_block, delta } }) => [
    name,
    ...[index, content_block, delta].filter((part) => part !== undefined),
  ]);
  const json = (partial_json: string) => ({ type: 'input_json_delta', partial_json });
  const use = (id: string, name: string) => ({ type: 'tool_use', id, name, input: {} });
  assert.deepEqual(told.slice(1), [
    ['content_block_start', 0, { type: 'text', text: '' }],
    ['content_block_stop', 0],
    ['content_block_start', 1, use('c0', 'get_tide')],
    ['content_block_delta', 1, json('{"a')],
    ['content_block_delta', 1, json('":1}')],
    ['content_block_stop', 1],
    ['content_block_start', 2, use('c1', 'get_wind')],
    ['content_block_delta', 2, json('{}')],
    ['content_block_stop', 2],
    ['message_delta', { stop_reason: 'tool_use', stop_sequence: null }],
    ['message_stop'],
  ]);
  for (const [index, { id }] of events.entries())
    assert.deepEqual(eventsOf(write(CALLING, id)), events.slice(index + 1));
});

test('a whole message has the uses of tools with their input, which is empty where it was cut off', () => {
  const whole = completionOf(anthropicWords, CALLING, message);
  assert.deepEqual(wholeMessage.parse(whole), whole);
  assert.deepEqual(whole.content, [
    { type: 'tool_use', id: 'c0', name: 'get_tide', input: { a: 1 } },
    { type: 'tool_use', id: 'c1', name: 'get_wind', input: {} },
  ]);
  assert.equal(whole.stop_reason, 'tool_use');
  const cut = CALLING.filter(({ offset }) => offset !== 2);
  assert.deepEqual(completionOf(anthropicWords, cut, message).content[0], {
    ...{ type: 'tool_use', id: 'c0', name: 'get_tide' },
    input: {},
  });
});
