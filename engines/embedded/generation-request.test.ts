import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings } from './generation-request.js';
import { HttpError } from './http-error.js';
import type { LlamaModel } from './llama-types.js';
import type { Pieces } from './pieces.js';
import { readPrompt, unfinishedEnd, type PromptReader } from './prompt.js';
import { Fields } from './request-fields.js';

/** A tokenizer of one token per character code; 1 is the begin token; 200 to 255 are single bytes. */
const pieces: Pieces = {
  count: 1000,
  bytesOf: (token) => (token === 1 ? new Uint8Array() : Uint8Array.of(token)),
  spell: (token) => Uint8Array.of(token),
};
const model: Pick<LlamaModel, 'tokenize' | 'tokens'> = {
  tokenize: (text) => Array.from(text, (character) => character.charCodeAt(0)),
  tokens: { bos: 1, eos: 2, bosString: '<s>', eosString: '</s>', shouldPrependBosToken: true },
};
const reader: PromptReader = { model, pieces, slotContextSize: 10 };

test('the defaults are llama-server’s, and a seed is drawn', () => {
  const { seed, ...settings } = readSettings(new Fields({}));
  assert.ok(Number.isInteger(seed) && seed >= 0);
  assert.deepEqual(settings, {
    maxTokens: undefined,
    temperature: 0.8,
    topK: 40,
    topP: 0.95,
    minP: 0.05,
    repeatPenalty: 1,
    repeatLastN: 64,
    presencePenalty: 0,
    frequencyPenalty: 0,
    stop: [],
    cachePrompt: true,
    slotId: undefined,
    constraint: undefined,
  });
});

test('the limit of tokens goes by llama-server’s and by OpenAI’s names; -1 and null mean none', () => {
  const limits = [
    { n_predict: 3 },
    { max_tokens: 3 },
    { max_completion_tokens: 3 },
    { n_predict: -1 },
    { max_tokens: null },
  ];
  assert.deepEqual(
    limits.map((body) => readSettings(new Fields(body)).maxTokens),
    [3, 3, 3, undefined, undefined],
  );
});

test('a stop word may stand alone or in a list', () => {
  assert.deepEqual(readSettings(new Fields({ stop: 'x' })).stop, ['x']);
  assert.deepEqual(readSettings(new Fields({ stop: ['x', 'y'] })).stop, ['x', 'y']);
});

test('formats of OpenAI and llama-server become one constraint', () => {
  const schema = { type: 'object' };
  const of = (body: Record<string, unknown>) => readSettings(new Fields(body)).constraint;
  assert.deepEqual(of({ grammar: 'root ::= "a"' }), { kind: 'gbnf', grammar: 'root ::= "a"' });
  assert.deepEqual(of({ json_schema: schema }), { kind: 'json-schema', schema });
  assert.deepEqual(of({ response_format: { type: 'json_schema', json_schema: { schema } } }), {
    kind: 'json-schema',
    schema,
  });
  assert.deepEqual(of({ response_format: { type: 'json_object' } }), { kind: 'json' });
  assert.equal(of({ response_format: { type: 'text' } }), undefined);
});

const REFUSED: readonly (readonly [Record<string, unknown>, number])[] = [
  [{ temperature: 'hot' }, 400],
  [{ n_predict: 1.5 }, 400],
  [{ stop: [1] }, 400],
  [{ response_format: { type: 'xml' } }, 400],
  [{ tools: [{}] }, 501],
  [{ logprobs: true }, 501],
  [{ n: 2 }, 501],
];
for (const [body, status] of REFUSED) {
  test(`${JSON.stringify(body)} is refused with ${status}`, () => {
    assert.throws(
      () => readSettings(new Fields(body)),
      (error) => error instanceof HttpError && error.status === status,
    );
  });
}

test('what has no effect is no reason to refuse', () => {
  const body = { tools: [], logit_bias: {}, n: 1, logprobs: false, n_probs: 0, ignore_eos: false };
  assert.doesNotThrow(() => readSettings(new Fields(body)));
});

const PROMPTS: readonly (readonly [string, unknown, number[]])[] = [
  ['a text gets the begin token', 'ab', [1, 97, 98]],
  ['ids are taken as they are', [5, 6], [5, 6]],
  ['a text after ids gets no begin token', [5, 'a'], [5, 97]],
  ['a text before ids gets one', ['a', 5], [1, 97, 5]],
  ['a list of one prompt is that prompt', [[5, 6]], [5, 6]],
  ['llama-server’s object is read', { prompt_string: 'a' }, [1, 97]],
];
for (const [title, prompt, tokens] of PROMPTS) {
  test(`as a prompt, ${title}`, () => {
    assert.deepEqual(readPrompt(reader, prompt), tokens);
  });
}

test('a prompt must leave room for one token at least', () => {
  assert.equal(readPrompt(reader, 'x'.repeat(8)).length, 9);
  assert.throws(
    () => readPrompt(reader, 'x'.repeat(9)),
    (error) =>
      error instanceof HttpError && error.type === 'exceed_context_size_error' && error.details.n_ctx === 10,
  );
});

for (const prompt of [undefined, 5, [], [1.5], [1000], [-1], [{}], [null]]) {
  test(`${prompt === undefined ? 'nothing' : JSON.stringify(prompt)} is no prompt`, () => {
    assert.throws(() => readPrompt(reader, prompt), HttpError);
  });
}

test('the unfinished character at a prompt’s end is found behind other tokens', () => {
  assert.deepEqual([...unfinishedEnd(pieces, [1, 97, 0xe2, 0x98])], [0xe2, 0x98]);
  assert.deepEqual([...unfinishedEnd(pieces, [1, 97])], []);
});
