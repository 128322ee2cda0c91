import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isModelRef, servesModel } from './model-ref.js';

test('B-DP-046: every scheme of the contract is taken, and a malformed reference is not', () => {
  const good = [
    'demo',
    'hf:org/repo',
    'hf:org/repo/dir/file.gguf',
    'file:/models/a b.gguf',
    'file:models/a.gguf',
  ];
  good.push('https://host.example/a/b.gguf', 's3://bucket/key.gguf', 'oci://registry.example/repo:tag');
  const bad = [
    '',
    ' ',
    'hf:',
    'hf:org',
    'file:',
    'ftp://host/a',
    'https://host',
    's3://bucket',
    'oci://r/repo',
    'a b',
  ];
  bad.push('hf:org/../etc', 'file:../secret', '../etc/passwd', 'x\ny');
  for (const ref of good) assert.equal(isModelRef(ref), true, ref);
  for (const ref of bad) assert.equal(isModelRef(ref), false, ref);
});

test('a pool is asked for by name, by reference, or as default when it is the pool default', () => {
  const pool = { poolId: 'default', modelRef: 'file:/m/demo.gguf', modelName: 'demo' };
  for (const ref of ['demo', 'file:/m/demo.gguf', 'default']) assert.equal(servesModel(pool, ref), true, ref);
  assert.equal(servesModel(pool, 'demo2'), false);
  assert.equal(servesModel({ ...pool, poolId: 'gpu-0' }, 'default'), false);
  assert.equal(servesModel({ ...pool, modelName: null }, 'demo'), false);
});
