import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TextRelease, unfinishedLength } from './released-text.js';

/** Pushes tokens, numbered from 1, and returns what each released: text and ids. */
function push(release: TextRelease, ...tokens: (string | number[])[]): [string, string][] {
  return tokens.map((token, index) => {
    const bytes = typeof token === 'string' ? Buffer.from(token) : Uint8Array.from(token);
    const { content, tokens: ids } = release.push(index + 1, bytes);
    return [content, ids.join()];
  });
}

test('plain tokens are released one by one', () => {
  assert.deepEqual(push(new TextRelease([]), 'one', ' two'), [
    ['one', '1'],
    [' two', '2'],
  ]);
});

test('a character over three tokens comes with the last of them, and brings all their ids', () => {
  const cup = [...Buffer.from('☕')];
  assert.deepEqual(push(new TextRelease([]), 'a', cup.slice(0, 1), cup.slice(1, 2), cup.slice(2), 'b'), [
    ['a', '1'],
    ['', ''],
    ['', ''],
    ['☕', '2,3,4'],
    ['b', '5'],
  ]);
});

test('a token that ends one character and begins another is held until it is complete', () => {
  const [first = 0, second = 0] = Buffer.from('é');
  assert.deepEqual(push(new TextRelease([]), [first], [second, first], [second]), [
    ['', ''],
    ['', ''],
    ['éé', '1,2,3'],
  ]);
});

test('bytes that are no text do not hold the rest up', () => {
  assert.deepEqual(push(new TextRelease([]), [0x95], 'a'), [
    ['\uFFFD', '1'],
    ['a', '2'],
  ]);
});

test('the beginning of a stop word is held back and released when it goes on otherwise', () => {
  assert.deepEqual(push(new TextRelease(['STOP']), 'go S', 'TO', ' go', ' on'), [
    ['', ''],
    ['', ''],
    ['go STO go', '1,2,3'],
    [' on', '4'],
  ]);
});

test('whole tokens before a possible stop word are released', () => {
  assert.deepEqual(push(new TextRelease(['\n\n']), 'a', 'b', '\n', 'c'), [
    ['a', '1'],
    ['b', '2'],
    ['', ''],
    ['\nc', '3,4'],
  ]);
});

test('a stop word ends the text before it, wherever the tokens are cut, and all ids are told', () => {
  for (const tokens of [['one END two'], ['one E', 'ND two'], ['one ', 'E', 'N', 'D']]) {
    const release = new TextRelease(['END', 'NEVER']);
    const results = tokens.map((token, index) => release.push(index + 1, Buffer.from(token)));
    assert.equal(results.map(({ content }) => content).join(''), 'one ');
    assert.equal(results.at(-1)?.stoppingWord, 'END');
    assert.deepEqual(
      results.flatMap((result) => result.tokens),
      tokens.map((_, index) => index + 1),
    );
  }
});

test('of two stop words the one that comes first in the text counts', () => {
  const result = new TextRelease(['later', 'soon']).push(1, Buffer.from('soon and later'));
  assert.deepEqual([result.content, result.stoppingWord], ['', 'soon']);
});

test('a stop word may be made of characters that are split over tokens', () => {
  const cup = [...Buffer.from('☕')];
  const release = new TextRelease(['☕']);
  assert.deepEqual(release.push(1, Uint8Array.from(cup.slice(0, 2))).tokens, []);
  const { content, tokens, stoppingWord } = release.push(2, Uint8Array.from(cup.slice(2)));
  assert.deepEqual([content, tokens, stoppingWord], ['', [1, 2], '☕']);
});

test('at the limit the ids of an unfinished character are told and its bytes are left to the continuation', () => {
  const cup = [...Buffer.from('☕')];
  const first = new TextRelease([]);
  push(first, 'tea ', cup.slice(0, 2));
  assert.deepEqual(first.finish(false), { content: '', tokens: [2] });
  const second = new TextRelease([], Uint8Array.from(cup.slice(0, 2)));
  assert.deepEqual(push(second, cup.slice(2), '!'), [
    ['☕', '1'],
    ['!', '2'],
  ]);
});

test('at the model’s own end everything is released', () => {
  const release = new TextRelease(['STOP']);
  push(release, 'ST');
  assert.deepEqual(release.finish(true), { content: 'ST', tokens: [1] });
});

test('whatever is cut where, ids sent spell exactly the text sent', () => {
  const bytes = Buffer.from('naïve ☕ café … STAY, then STOP here');
  for (let size = 1; size <= 7; size++) {
    const tokens: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) tokens.push(bytes.subarray(at, at + size));
    const release = new TextRelease(['STOP']);
    let text = '';
    const ids: number[] = [];
    for (const [index, token] of tokens.entries()) {
      const result = release.push(index, token);
      text += result.content;
      ids.push(...result.tokens);
      if (result.stoppingWord !== undefined) break;
      assert.equal(Buffer.concat(ids.map((id) => tokens[id] ?? Buffer.alloc(0))).toString(), text);
    }
    assert.equal(text, 'naïve ☕ café … STAY, then ');
  }
});

const ENDS: readonly (readonly [string, number[], number])[] = [
  ['nothing', [], 0],
  ['plain text', [0x61], 0],
  ['a whole character', [...Buffer.from('☕')], 0],
  ['one byte of two', [0x61, 0xc3], 1],
  ['two bytes of three', [0xe2, 0x98], 2],
  ['three bytes of four', [0xf0, 0x9f, 0x90], 3],
  ['stray continuation bytes', [0x61, 0x95, 0x95], 0],
];
for (const [title, bytes, expected] of ENDS) {
  test(`${title} at the end leaves ${expected} bytes unfinished`, () => {
    assert.equal(unfinishedLength(Uint8Array.from(bytes)), expected);
  });
}
