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
} from '../completions/words.js';
import { at, CALLING, FRAMES, head, LIKELY } from '../testing/sample-completion.js';
import { openaiWords } from './chunks.js';

const chat = openaiWords('chat.completion');
const wordsOf = ({ dialect: { object } }: CompletionHead) =>
  openaiWords(object === 'text_completion' ? object : 'chat.completion');

const write = (of: CompletionHead, after?: string, frames = FRAMES) => {
  const writer = chunkWriter(wordsOf(of), of, { place: after === undefined ? undefined : parsePlace(after) });
  return frames.map(writer).join('');
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
  const answer = completionOf(chat, FRAMES, head('chat.completion'));
  assert.deepEqual(chatCompletion.parse(answer), answer);
  assert.equal(answer.object === 'chat.completion' && answer.choices[0]?.message.content, 'Hello ☕');
  assert.equal(answer.choices[0]?.finish_reason, 'length');
  assert.deepEqual(answer.usage, { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 });
  const text = completionOf(openaiWords('text_completion'), FRAMES, head('text_completion'));
  assert.deepEqual(textCompletion.parse(text), text);
  assert.equal(text.object === 'text_completion' && text.choices[0]?.text, 'Hello ☕');
});

test('a task that failed is an error in the stream, and no completion', () => {
  const error: Frame = {
    ...at(2),
    type: 'error',
    data: { code: 'WORKER_RESET', message: 'it broke off', retriable: true },
  };
  const chunk = JSON.parse(
    chunkWriter(chat, head('chat.completion'))(error).split('data: ')[1] ?? '{}',
  ) as unknown;
  assert.deepEqual(chunk, {
    error: { message: 'it broke off', type: 'server_error', param: null, code: 'WORKER_RESET' },
  });
  assert.throws(
    () => completionOf(chat, [...FRAMES.slice(0, 2), error], head('chat.completion')),
    (err: unknown) =>
      err instanceof DroverError && err.code === 'WORKER_RESET' && err.extras.retriable === true,
  );
});

test('ids of completions hold the task, and only ours are read', () => {
  for (const object of ['chat.completion', 'text_completion'] as const) {
    assert.equal(taskIdOfCompletion(completionIdOf(openaiWords(object), 't-1')), 't-1');
  }
  for (const id of ['', 'chatcmpl-', 't-1', 'resp-1']) assert.equal(taskIdOfCompletion(id), undefined, id);
  assert.deepEqual(parsePlace('12.2'), { offset: 12, part: 2 });
  for (const text of ['', '-1', '1.', 'x', '1.22', '1e3']) assert.equal(parsePlace(text), undefined, text);
});

type Choice = { delta: object; finish_reason: string | null; logprobs: unknown } | undefined;
const choicesOf = (text: string) => payloads(text).map((chunk) => (chunk['choices'] as Choice[])[0]);

test('calls to tools are streamed as pieces, whose first has id and name, and the finish says that there are some', () => {
  const choices = choicesOf(write(head('chat.completion', false), undefined, CALLING));
  assert.deepEqual(
    choices.map((choice) => choice?.delta),
    [
      { role: 'assistant', content: '' },
      {
        tool_calls: [
          { index: 0, id: 'c0', type: 'function', function: { name: 'get_tide', arguments: '{"a' } },
        ],
      },
      { tool_calls: [{ index: 0, function: { arguments: '":1}' } }] },
      {
        tool_calls: [
          { index: 1, id: 'c1', type: 'function', function: { name: 'get_wind', arguments: '{}' } },
        ],
      },
      {},
    ],
  );
  assert.equal(choices.at(-1)?.finish_reason, 'tool_calls');
});

test('a whole answer that calls tools has each of them once, and no content where nothing was said', () => {
  const answer = completionOf(chat, CALLING, head('chat.completion'));
  assert.deepEqual(chatCompletion.parse(answer), answer);
  assert.ok(answer.object === 'chat.completion');
  const [choice] = answer.choices;
  assert.ok(choice);
  assert.equal(choice.finish_reason, 'tool_calls');
  assert.deepEqual(choice.message, {
    role: 'assistant',
    content: null,
    refusal: null,
    tool_calls: [
      { id: 'c0', type: 'function', function: { name: 'get_tide', arguments: '{"a":1}' } },
      { id: 'c1', type: 'function', function: { name: 'get_wind', arguments: '{}' } },
    ],
  });
});

test('an answer that was cut off amid a call says so', () => {
  const cut = CALLING.map((frame) =>
    frame.type === 'end' ? { ...frame, data: { ...frame.data, stop_reason: 'MAX_TOKENS' as const } } : frame,
  );
  assert.equal(completionOf(chat, cut, head('chat.completion')).choices[0]?.finish_reason, 'length');
});

const likely = (token: string, logprob: number) => ({ token, logprob, bytes: [...Buffer.from(token)] });

test('log probabilities of a chat stand with their piece, and together in the whole', () => {
  const first = { ...likely('Hel', -0.5), top_logprobs: [likely('Hel', -0.5), likely('Good', -1)] };
  const second = { ...likely('lo', -0.25), top_logprobs: [] };
  const third = { ...likely(' sea', -0.75), top_logprobs: [] };
  const choices = choicesOf(write(head('chat.completion', false), undefined, LIKELY));
  assert.deepEqual(
    choices.map((choice) => choice?.logprobs),
    [null, { content: [first, second], refusal: null }, { content: [third], refusal: null }, null],
  );
  const answer = completionOf(chat, LIKELY, head('chat.completion'));
  assert.deepEqual(chatCompletion.parse(answer), answer);
  assert.deepEqual(answer.choices[0]?.logprobs, { content: [first, second, third], refusal: null });
});

test('log probabilities of a text are lists of the same length, with the place of each token in the whole text', () => {
  const choices = choicesOf(write(head('text_completion', false), undefined, LIKELY));
  assert.deepEqual(choices[1]?.logprobs, {
    tokens: [' sea'],
    token_logprobs: [-0.75],
    top_logprobs: [{}],
    text_offset: [5],
  });
  const answer = completionOf(openaiWords('text_completion'), LIKELY, head('text_completion'));
  assert.deepEqual(textCompletion.parse(answer), answer);
  assert.deepEqual(answer.choices[0]?.logprobs, {
    tokens: ['Hel', 'lo', ' sea'],
    token_logprobs: [-0.5, -0.25, -0.75],
    top_logprobs: [{ Hel: -0.5, Good: -1 }, {}, {}],
    text_offset: [0, 3, 5],
  });
});
