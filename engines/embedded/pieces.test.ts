import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LlamaModel, TokenAttributes } from './llama-types.js';
import { createPieces } from './pieces.js';

const PLAIN: TokenAttributes = { unknown: false, control: false, userDefined: false, byte: false };

/** A model with this vocabulary; attributes by token text. */
function modelWith(
  kind: string,
  tokens: readonly string[],
  attributes: Readonly<Record<string, Partial<TokenAttributes>>> = {},
): LlamaModel {
  const vocabulary = { model: kind, tokens };
  const model: Pick<LlamaModel, 'fileInfo' | 'getTokenAttributes' | 'detokenize'> = {
    fileInfo: { metadata: { tokenizer: { ggml: vocabulary } } },
    getTokenAttributes: (token) => ({ ...PLAIN, ...attributes[tokens[token] ?? ''] }),
    detokenize: () => 'left to llama.cpp',
  };
  return model as LlamaModel; // the rest is not used
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

test('SentencePiece’s pieces have spaces and single bytes', () => {
  const pieces = createPieces(modelWith('llama', ['▁the', 'sea', '<0xE2>', '▁']));
  assert.deepEqual(
    [0, 1, 3].map((token) => textOf(pieces.bytesOf(token))),
    [' the', 'sea', ' '],
  );
  assert.deepEqual([...pieces.bytesOf(2)], [0xe2]);
  assert.equal(pieces.count, 4);
});

test('GPT-2’s pieces are bytes in disguise, whether they make a character or not', () => {
  const pieces = createPieces(modelWith('gpt2', ['Ġthe', 'Ċ', 'âĺķ', 'âĺ', 'Ń']));
  assert.deepEqual(
    [0, 1, 2].map((token) => textOf(pieces.bytesOf(token))),
    [' the', '\n', '☕'],
  );
  assert.deepEqual([...pieces.bytesOf(3)], [0xe2, 0x98]);
  assert.deepEqual([...pieces.bytesOf(4)], [0xad]);
});

test('a control token is no part of a text, but can be spelled out', () => {
  const pieces = createPieces(modelWith('gpt2', ['<|end|>'], { '<|end|>': { control: true } }));
  assert.equal(textOf(pieces.bytesOf(0)), '');
  assert.equal(textOf(pieces.spell(0)), '<|end|>');
});

test('a token that its maker defined is taken literally', () => {
  const pieces = createPieces(modelWith('gpt2', ['Ġ☕'], { 'Ġ☕': { userDefined: true } }));
  assert.equal(textOf(pieces.bytesOf(0)), 'Ġ☕');
});

test('an unknown kind of vocabulary is left to llama.cpp', () => {
  assert.equal(textOf(createPieces(modelWith('rwkv', ['x'])).bytesOf(0)), 'left to llama.cpp');
});
