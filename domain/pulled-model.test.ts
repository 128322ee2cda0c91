import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POOL_ID_PATTERN } from './identity.js';
import { poolOfModel } from './pulled-model.js';

const REF = 'hf:org/repo/tea.gguf';

test('a model that was pulled has a pool of its own, by its id, that loads what its reference names', () => {
  assert.deepEqual(poolOfModel({ id: 'org--repo--tea-1f.gguf', source_url: REF }), {
    ...{ id: 'model-org--repo--tea-1f.gguf', model: REF, model_name: 'org--repo--tea-1f.gguf' },
  });
  const signed = 'https://weights.example/tea.GGUF?signature=x';
  assert.equal(poolOfModel({ id: 'tea', source_url: signed })?.model, signed);
});

test('the id of its pool is one, and tells models apart by their ends', () => {
  const long = (end: string) => poolOfModel({ id: `${'a'.repeat(120)}:@-${end}`, source_url: REF })?.id ?? '';
  assert.match(long('1'), POOL_ID_PATTERN);
  assert.notEqual(long('1'), long('2'));
});

test('what is no GGUF, is a folder, or comes from nowhere has none', () => {
  for (const source_url of [null, 'hf:org/repo', 'https://weights.example/tea.safetensors', 'file:/m/a.gguf'])
    assert.equal(poolOfModel({ id: 'tea.gguf', source_url }), undefined, String(source_url));
});
