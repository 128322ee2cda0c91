import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MODEL_PLACE,
  isUnfetched,
  modelFileOf,
  placeProblem,
  withFetchedModel,
  withModel,
} from './reload.js';

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

test('a launch whose model has to be fetched says where its engine is told of it, and is told once it is there', () => {
  const remote = {
    ...{ model_path: MODEL_PLACE, model_ref: 'hf:org/repo/a.gguf' },
    flags: ['--model', MODEL_PLACE, `--draft=${MODEL_PLACE}`],
    env: { MODEL: MODEL_PLACE, LANG: 'C' },
  };
  assert.equal(placeProblem(remote), undefined);
  assert.equal(placeProblem({ ...remote, model_ref: 'demo' })?.field, 'model_path');
  assert.equal(placeProblem({ ...remote, flags: [], env: {} })?.field, 'flags');
  assert.equal(placeProblem({ ...remote, model_path: '/m/a.gguf', flags: [], env: {} }), undefined);
  const there = withFetchedModel(remote, '/cache/$&.gguf');
  assert.deepEqual(there, {
    ...{ model_path: '/cache/$&.gguf', model_ref: 'hf:org/repo/a.gguf' },
    flags: ['--model', '/cache/$&.gguf', '--draft=/cache/$&.gguf'],
    env: { MODEL: '/cache/$&.gguf', LANG: 'C' },
  });
  assert.deepEqual([isUnfetched(remote), isUnfetched(there)], [true, false]);
});
