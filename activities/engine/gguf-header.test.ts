import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readGgufHeader } from './gguf-header.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-gguf-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const integer = (key: string, value: number): Buffer => Buffer.concat([text(key), u32(4), u32(value)]);
const float = (key: string): Buffer => Buffer.concat([text(key), u32(6), u32(0)]);
const word = (key: string, value: string): Buffer => Buffer.concat([text(key), u32(8), text(value)]);
const list = (key: string, items: Buffer[], type: number): Buffer =>
  Buffer.concat([text(key), u32(9), u32(type), u64(items.length), ...items]);

async function header(entries: Buffer[], changes: { magic?: string; count?: number; length?: number } = {}) {
  const { magic = 'GGUF', count = entries.length, length } = changes;
  const whole = Buffer.concat([Buffer.from(magic), u32(3), u64(0), u64(count), ...entries]);
  const path = join(folder, 'model.gguf');
  await writeFile(path, whole.subarray(0, length));
  return readGgufHeader(path);
}

const llama = [integer('llama.block_count', 24), integer('llama.embedding_length', 448)];

test('the cache of a token is read past values of every other kind', async () => {
  const found = await header([
    word('general.architecture', 'llama'),
    list('tokenizer.tokens', [text('a'), text('bc')], 8),
    list('tokenizer.scores', [u32(0), u32(0)], 6),
    list('nested', [Buffer.concat([u32(5), u64(1), u32(9)])], 9),
    float('llama.rope.freq_base'),
    ...llama,
    integer('llama.attention.head_count', 7),
  ]);
  assert.deepEqual(found, { cacheBytesPerToken: 24 * 448 * 2 * 2 });
});

test('fewer heads for keys and values, and lengths of their own, make a smaller cache', async () => {
  const heads = [integer('llama.attention.head_count', 7), integer('llama.attention.head_count_kv', 1)];
  assert.deepEqual(await header([...llama, ...heads]), { cacheBytesPerToken: 24 * 1 * 128 * 2 });
  const lengths = [integer('llama.attention.key_length', 32), integer('llama.attention.value_length', 16)];
  assert.deepEqual(await header([...llama, ...heads, ...lengths]), { cacheBytesPerToken: 24 * 48 * 2 });
});

test('a model that does not say its sizes, or ends before it does, is a GGUF file all the same', async () => {
  assert.deepEqual(await header([word('general.architecture', 'rwkv')]), {});
  assert.deepEqual(await header(llama, { count: 10_000_000 }), {});
  assert.deepEqual(await header(llama, { length: 30 }), {});
  assert.deepEqual(await header([list('huge', [], 8)], { length: 12 }), {});
});

test('a file with another beginning, or none, is no GGUF file', async () => {
  assert.equal(await header(llama, { magic: 'PK\x03\x04' }), undefined);
  assert.equal(await header(llama, { length: 0 }), undefined);
});
