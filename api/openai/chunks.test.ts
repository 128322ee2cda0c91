import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DroverError } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import { chatCompletion, textCompletion } from '../../contracts/openai.js';
import {
  chunkWriter,
  completionIdOf,
  completionOf,
  parsePlace,
  taskIdOfCompletion,
  type CompletionHead,
} from './chunks.js';

const head = (object: CompletionHead['dialect']['object'], include_usage = true): CompletionHead => ({
  taskId: 't-1',
  dialect: { object, include_usage },
  created: 1_700_000_000,
  model: 'demo',
});

const at = (offset: number) => ({ offset, epoch: 1 });
const STARTED = {
  queue_position: 0,
  predicted_start_ms: 0,
  task_id: 't-1',
  engine: 'llamacpp',
  pool_id: 'default',
  replica_id: 'r0',
  model_ref: 'demo',
  correlation_id: 'c',
  admitted_at_ms: 1_700_000_000_123,
};
const METRICS = {
  queue_depth: 0,
  on_time_probability: 1,
  kv_warmth: true,
  tokens_out: 1,
  tokens_budget_remaining: null,
  time_budget_remaining_ms: null,
  cost_budget_remaining: null,
};
const FRAMES: Frame[] = [
  { ...at(0), type: 'started', data: STARTED },
  { ...at(1), type: 'token', data: { t: 'Hello', i: 0 } },
  { ...at(2), type: 'metrics', data: METRICS },
  { ...at(3), type: 'token', data: { t: ' ☕', i: 1 } },
  {
    ...at(4),
    type: 'end',
    data: { tokens_out: 3, tokens_in: 2, decode_time_ms: 5, decode_ms: 5, stop_reason: 'MAX_TOKENS' },
  },
];

const write = (of: CompletionHead, after?: string) => {
  const writer = chunkWriter(of, after === undefined ? undefined : parsePlace(after));
  return FRAMES.map(writer).join('');
};
const events = (text: string) =>
  text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const [, id = '', data = ''] = /^id: (.*)\ndata: (.*)$/.exec(event) ?? [];
      return { id, data };
    });
const payloads = (text: string) =>
  events(text).flatMap(({ data }) =>
    data === '[DONE]' ? [] : [JSON.parse(data) as Record<string, unknown>],
  );

test('a chat streams the role, the text, the finish, the usage and [DONE], in this order and with one head', () => {
  const text = write(head('chat.completion'));
  assert.equal(events(text).at(-1)?.data, '[DONE]');
  const chunks = payloads(text);
  const deltas = chunks.map((chunk) => (chunk['choices'] as { delta?: object }[])[0]?.delta);
  assert.deepEqual(deltas, [
    { role: 'assistant', content: '' },
    { content: 'Hello' },
    { content: ' ☕' },
    {},
    undefined,
  ]);
  for (const chunk of chunks) {
    assert.equal(chunk['id'], 'chatcmpl-t-1');
    assert.equal(chunk['object'], 'chat.completion.chunk');
    assert.equal(chunk['created'], 1_700_000_000);
    assert.equal(chunk['model'], 'demo');
  }
  assert.deepEqual(chunks.at(-1)?.['usage'], { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 });
});

test('usage comes only when it was asked for', () => {
  const chunks = payloads(write(head('chat.completion', false)));
  assert.equal(
    chunks.some((chunk) => 'usage' in chunk),
    false,
  );
  assert.equal(chunks.length, 4);
});

test('wherever a reader lost its connection, what it had and what follows are the whole stream, no chunk twice', () => {
  for (const object of ['chat.completion', 'text_completion'] as const) {
    const whole = events(write(head(object)));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (lastSeen) => {
        const rest = events(write(head(object), whole[lastSeen]?.id));
        assert.deepEqual([...whole.slice(0, lastSeen + 1), ...rest], whole);
      }),
    );
    assert.equal(new Set(whole.map(({ id }) => id)).size, whole.length);
  }
});

test('a whole completion is the text of its tokens, with the finish and the usage, in the published shape', () => {
  const chat = completionOf(FRAMES, head('chat.completion'));
  assert.deepEqual(chatCompletion.parse(chat), chat);
  assert.equal(chat.object === 'chat.completion' && chat.choices[0]?.message.content, 'Hello ☕');
  assert.equal(chat.choices[0]?.finish_reason, 'length');
  assert.deepEqual(chat.usage, { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 });
  const text = completionOf(FRAMES, head('text_completion'));
  assert.deepEqual(textCompletion.parse(text), text);
  assert.equal(text.object === 'text_completion' && text.choices[0]?.text, 'Hello ☕');
});

test('a task that failed is an error in the stream, and no completion', () => {
  const error: Frame = {
    ...at(2),
    type: 'error',
    data: { code: 'WORKER_RESET', message: 'it broke off', retriable: true },
  };
  const chunk = JSON.parse(chunkWriter(head('chat.completion'))(error).split('data: ')[1] ?? '{}') as unknown;
  assert.deepEqual(chunk, {
    error: { message: 'it broke off', type: 'server_error', param: null, code: 'WORKER_RESET' },
  });
  assert.throws(
    () => completionOf([...FRAMES.slice(0, 2), error], head('chat.completion')),
    (err: unknown) =>
      err instanceof DroverError && err.code === 'WORKER_RESET' && err.extras.retriable === true,
  );
});

test('ids of completions hold the task, and only ours are read', () => {
  for (const object of ['chat.completion', 'text_completion'] as const) {
    assert.equal(taskIdOfCompletion(completionIdOf(head(object))), 't-1');
  }
  for (const id of ['', 'chatcmpl-', 't-1', 'resp-1']) assert.equal(taskIdOfCompletion(id), undefined, id);
  assert.deepEqual(parsePlace('12.2'), { offset: 12, part: 2 });
  for (const text of ['', '-1', '1.', 'x', '1.22', '1e3']) assert.equal(parsePlace(text), undefined, text);
});
