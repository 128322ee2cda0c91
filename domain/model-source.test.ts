import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  indexedRef,
  hfFileUrl,
  hfRepoUrl,
  isInnerPath,
  mayBeAsked,
  modelIdOf,
  mustBeFetched,
  readReference,
  shownRef,
  sourceOf,
} from './model-source.js';

test('B-MODEL-005: a reference is split at its first colon, and without a provider only org/repo means Hugging Face', () => {
  const rows: [string, string | undefined][] = [
    ['hf:org/repo', 'hf:org/repo'],
    ['org/repo', 'hf:org/repo'],
    ['org/repo/dir/m.gguf', 'hf:org/repo/dir/m.gguf'],
    ['https://host.example:8443/a:b.gguf', 'https://host.example:8443/a:b.gguf'],
    ['s3://bucket/key', 's3://bucket/key'],
    ['file:/models/m.gguf', 'file:/models/m.gguf'],
    ['demo', undefined],
    ['', undefined],
    ['/models/m.gguf', undefined],
    ['org/../repo', undefined],
    ['ftp:host/a', undefined],
    ['hf:org', undefined],
  ];
  for (const [given, ref] of rows) assert.equal(readReference(given), ref, given);
});

test('B-DP-046: a reference says where its files are', () => {
  assert.deepEqual(sourceOf('hf:org/repo'), { kind: 'hf', repo: 'org/repo', path: null });
  assert.deepEqual(sourceOf('hf:org/repo/q4/m.gguf'), { kind: 'hf', repo: 'org/repo', path: 'q4/m.gguf' });
  assert.deepEqual(sourceOf('https://h.example/m'), { kind: 'https', url: 'https://h.example/m' });
  assert.deepEqual(sourceOf('s3://bucket/a/b.gguf'), { kind: 's3', bucket: 'bucket', key: 'a/b.gguf' });
  assert.deepEqual(sourceOf('file:/m.gguf'), { kind: 'file', path: '/m.gguf' });
  for (const none of ['demo', 'file:m.gguf', 'oci://r.example/repo:tag', 'http://h.example/m']) {
    assert.equal(sourceOf(none), undefined, none);
  }
  assert.deepEqual(
    ['hf:org/repo', 's3://bucket/k', 'https://h.example/m', 'file:/m.gguf', 'demo'].map(mustBeFetched),
    [true, true, true, false, false],
  );
});

test('C-178: a copy has a readable name of its own, the same each time', () => {
  const id = modelIdOf('hf:org/repo/q4/m.gguf');
  assert.match(id, /^org--repo--q4--m-[0-9a-f]{8}\.gguf$/);
  assert.equal(modelIdOf('hf:org/repo/q4/m.gguf'), id);
  const refs = [
    ...['hf:org/repo/q4--m.gguf', 'hf:org/repo/q4/m.gguf', 'hf:org/repo', 's3://bucket/m', 's3://bucket/.m'],
    ...[
      'https://h.example/m?file=1',
      'https://h.example/m?file=2',
      `https://h.example/${'a'.repeat(400)}.gguf`,
    ],
    ...[`https://h.example/${'a'.repeat(401)}.gguf`, 'https://h.example/%2e%2e/x', 'https://h.example/a..b'],
  ];
  const ids = refs.map(modelIdOf);
  assert.equal(new Set(ids).size, refs.length);
  for (const name of ids) assert.match(name, /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,119}$/);
});

test('a signature in an address is shown to nobody', () => {
  assert.equal(shownRef('https://h.example/m.gguf?X-Amz-Signature=abc#x'), 'https://h.example/m.gguf');
  assert.equal(indexedRef(`https://h.example/${'a'.repeat(300)}?sig`).length, 255);
  assert.equal(modelIdOf('https://h.example/m.gguf?sig=secret').includes('secret'), false);
});

test('addresses of Hugging Face', () => {
  assert.equal(
    hfFileUrl('https://huggingface.co', 'org/repo', 'main', 'a b/m#1.gguf'),
    'https://huggingface.co/org/repo/resolve/main/a%20b/m%231.gguf',
  );
  assert.equal(
    hfRepoUrl('http://h:1', 'org/repo'),
    'http://h:1/api/models/org/repo/revision/main?blobs=true',
  );
});

test('B-VAL-004: the files of a repository stay in its folder', () => {
  for (const good of ['m.gguf', 'a/b/c.safetensors', '.gitattributes'])
    assert.equal(isInnerPath(good), true, good);
  for (const bad of ['', '/etc/passwd', '../m', 'a/../../m', 'a//b', 'a\\b', './m', 'a\0b']) {
    assert.equal(isInnerPath(bad), false, bad);
  }
});

test('plain HTTP is spoken on this machine, and where the settings point', () => {
  const rows: [string, boolean][] = [
    ['https://h.example/m', true],
    ['http://h.example/m', false],
    ['http://127.0.0.1:80/m', true],
    ['http://localhost/m', true],
    ['http://mirror.example:8080/m', true],
    ['http://mirror.example/m', false],
    ['ftp://localhost/m', false],
    ['file:///etc/passwd', false],
  ];
  for (const [url, may] of rows)
    assert.equal(mayBeAsked(new URL(url), ['http://mirror.example:8080']), may, url);
});
