import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelFileOf, withModel } from './reload.js';

const launch = {
  model_path: '/m/a.gguf',
  model_ref: 'a',
  model_name: 'a',
  flags: ['--model', '/m/a.gguf', '--draft=/m/a.gguf', '--log', '/m/a.gguf.log'],
  slots_total: 2,
};

test('B-RELOAD-004, B-RELOAD-010: another model takes the place of the old one in the launch and its flags, the same changes nothing', () => {
  assert.deepEqual(withModel(launch, 'file:/m/b.gguf', '/m/b.gguf'), {
    ...{ model_path: '/m/b.gguf', model_ref: 'file:/m/b.gguf', model_name: null, slots_total: 2 },
    flags: ['--model', '/m/b.gguf', '--draft=/m/b.gguf', '--log', '/m/a.gguf.log'],
  });
  assert.equal(withModel(launch, 'file:/m/a.gguf', '/m/a.gguf'), launch);
});

test('B-RELOAD-016: only an absolute file is a model that is there already', () => {
  const refs = ['file:/m/b.gguf', 'file:b.gguf', 'hf:org/repo', 'demo'];
  assert.deepEqual(refs.map(modelFileOf), ['/m/b.gguf', undefined, undefined, undefined]);
});
