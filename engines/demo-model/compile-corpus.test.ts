import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, indexTokens, ONES_PER_CODE } from './codes.js';
import { compileCorpus } from './compile-corpus.js';
import { TOPICS, type Topic } from './corpus.js';
import { toHalf } from './half-float.js';
import { exponential } from './softmax-regression.js';
import { SPACE } from './vocabulary.js';

test('every answer can be told apart by its first word, and has words enough to be recognised', () => {
  const answers = TOPICS.map(({ paragraphs }) => paragraphs[0] ?? '');
  assert.equal(new Set(answers.map((text) => text.split(' ')[0])).size, TOPICS.length);
  for (const { name, paragraphs } of TOPICS.filter((topic) => topic.name !== 'ping')) {
    for (const text of paragraphs) {
      const words = text.split(' ').length;
      assert.ok(words >= 22 && words <= 60, `${name}: ${words} words`);
    }
  }
});

test('the tokens of an answer spell the answer', () => {
  const { vocabulary } = compileCorpus();
  for (const text of TOPICS.flatMap(({ paragraphs }) => paragraphs)) {
    const bytes = vocabulary.encode(text, true).map((id) => {
      const token = vocabulary.tokens[id] ?? '';
      const byte = /^<0x(..)>$/.exec(token)?.[1];
      return byte === undefined ? Buffer.from(token.replaceAll(SPACE, ' ')) : Buffer.from(byte, 'hex');
    });
    assert.equal(Buffer.concat(bytes).toString(), text);
  }
});

test('characters beyond ASCII are spelled in bytes', () => {
  const { vocabulary } = compileCorpus();
  const tokens = vocabulary.encode('☕', false).map((id) => vocabulary.tokens[id]);
  assert.deepEqual(tokens, [SPACE, '<0xE2>', '<0x98>', '<0x95>']);
});

test('an endless topic never ends, and every other one does', () => {
  const { examples, endlessStates, vocabulary } = compileCorpus();
  const end = vocabulary.id('<|end|>');
  const ending = new Set(examples.filter(({ next }) => next === end).map(({ state }) => state));
  assert.ok(endlessStates.size > 0);
  for (const state of endlessStates) assert.ok(!ending.has(state));
});

const BROKEN: readonly (readonly [string, Topic, RegExp])[] = [
  ['a keyword in an answer', topic('Ships sail on the sea'), /contains the keyword/],
  ['an opening word that is taken', topic('Waves fall.'), /is taken/],
  ['two followers of the same two words', topic('Odd one, to the left and to the right.'), /both/],
];
for (const [title, broken, message] of BROKEN) {
  test(`${title} is refused`, () => {
    assert.throws(() => compileCorpus([...TOPICS, broken]), message);
  });
}

test('no two tokens of the corpus share more than one place of their codes', () => {
  const count = Math.max(...indexTokens(compileCorpus())) + 1;
  const codes = Array.from({ length: count }, (_, index) => codeOf(index));
  for (const [index, code] of codes.entries()) {
    assert.equal(new Set(code).size, ONES_PER_CODE);
    for (const other of codes.slice(0, index)) {
      assert.ok(code.filter((place) => other.includes(place)).length <= 1);
    }
  }
});

const HALVES: readonly (readonly [number, number])[] = [
  [0, 0x0000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [0.333251953125, 0x3555],
  [1 + 2 ** -10, 0x3c01],
  [1 + 0.9 * 2 ** -10, 0x3c01],
  [1e-9, 0x0000],
];
for (const [value, bits] of HALVES) {
  test(`${value} as a half is 0x${bits.toString(16)}`, () => {
    assert.equal(toHalf(value), bits);
  });
}

test('a number beyond a half’s range is refused', () => {
  assert.throws(() => toHalf(70_000), /does not fit/);
});

test('the exponential function is good enough to learn with', () => {
  for (let x = 0; x >= -17; x -= 0.37) {
    assert.ok(Math.abs(exponential(x) / Math.exp(x) - 1) < 1e-4, String(x));
  }
});

function topic(text: string): Topic {
  return { name: 'broken', keywords: ['quokka'], paragraphs: [text] };
}
