import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeModel } from './build-model.js';
import { readGguf, type GgufFile } from './gguf-reader.js';

describe('the written model', () => {
  let folder: string;
  let path: string;
  let bytes: Buffer;
  let file: GgufFile;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-model-'));
    path = join(folder, 'deep', 'down', 'demo.gguf');
    const size = await writeModel(path);
    bytes = await readFile(path);
    assert.equal(size, bytes.length);
    file = readGguf(bytes);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('is the same, byte for byte, when it is made again, and replaces an older file', async () => {
    const again = join(folder, 'again.gguf');
    await writeFile(again, 'not a model');
    await writeModel(again);
    assert.ok(bytes.equals(await readFile(again)));
    assert.deepEqual((await readdir(folder)).sort(), ['again.gguf', 'deep']);
  });

  test('keeps the older file when it cannot be written', async () => {
    await assert.rejects(writeModel(join(path, 'below-a-file.gguf')), /ENOTDIR|EEXIST/);
    assert.ok(bytes.equals(await readFile(path)));
  });

  test('is a GGUF 3 of the llama architecture, whose metadata fits its tensors', () => {
    assert.equal(file.version, 3);
    assert.equal(file.metadata.get('general.architecture'), 'llama');
    assert.equal(
      file.metadata.get('llama.rope.dimension_count'),
      file.metadata.get('llama.attention.key_length'),
    );
    const [columns, rows] = file.tensors.get('token_embd.weight')?.shape ?? [];
    assert.equal(columns, file.metadata.get('llama.embedding_length'));
    assert.equal(rows, list('tokenizer.ggml.tokens').length);
    assert.deepEqual(file.tensors.get('output.weight')?.shape, [columns, rows]);
  });

  test('has every tensor aligned, in order and inside the file', () => {
    let end = 0;
    for (const { offset, size } of file.tensors.values()) {
      assert.equal(offset % 32, 0);
      assert.ok(offset >= end);
      end = offset + size;
    }
    assert.ok(file.dataStart + end <= bytes.length);
    assert.ok(bytes.length - file.dataStart - end < 32);
  });

  test('has one text, score and type per token, and no text twice', () => {
    const tokens = list('tokenizer.ggml.tokens');
    assert.equal(new Set(tokens).size, tokens.length);
    assert.equal(list('tokenizer.ggml.scores').length, tokens.length);
    assert.equal(list('tokenizer.ggml.token_type').length, tokens.length);
    assert.equal(tokens[Number(file.metadata.get('tokenizer.ggml.bos_token_id'))], '<s>');
    assert.equal(tokens[Number(file.metadata.get('tokenizer.ggml.eos_token_id'))], '<|end|>');
  });

  test('has every prefix of every word, without which llama.cpp would not find the word', () => {
    const tokens = list('tokenizer.ggml.tokens').map(String);
    const types = list('tokenizer.ggml.token_type');
    const known = new Set(tokens);
    for (const token of tokens.filter((_, index) => types[index] === 1)) {
      for (let length = 1; length < token.length; length++)
        assert.ok(known.has(token.slice(0, length)), token);
    }
  });

  test('has every byte as a token, so that any text can be read', () => {
    const tokens = new Set(list('tokenizer.ggml.tokens'));
    for (let byte = 0; byte < 256; byte++) {
      assert.ok(tokens.has(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
    }
  });

  test('grows by layers that change nothing when it is padded', async () => {
    const padded = join(folder, 'padded.gguf');
    await writeModel(padded, { padLayers: 2, feedForward: 64 });
    const contents = await readFile(padded);
    const { metadata, tensors, dataStart } = readGguf(contents);
    assert.equal(metadata.get('llama.block_count'), 3);
    assert.equal(metadata.get('llama.feed_forward_length'), 64);
    for (const name of ['attn_q', 'attn_output', 'ffn_down']) {
      const tensor = tensors.get(`blk.2.${name}.weight`);
      assert.ok(tensor !== undefined);
      const data = contents.subarray(dataStart + tensor.offset, dataStart + tensor.offset + tensor.size);
      assert.ok(
        data.every((byte) => byte === 0),
        name,
      );
    }
  });

  function list(key: string): readonly unknown[] {
    const value = file.metadata.get(key);
    assert.ok(Array.isArray(value), key);
    return value;
  }
});
