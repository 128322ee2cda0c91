import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeterministic, withKnownFlags } from './launch-flags.js';

const flagsOf = (flags: string[], engine = 'llamacpp') => withKnownFlags({ engine, flags }).flags;

test('B-PROV-007: legacy names of the GPU layers are translated, with their values, in their places', () => {
  for (const legacy of ['-ngl', '--ngl', '--gpu-layers', '--n-gpu-layers']) {
    assert.deepEqual(flagsOf(['--metrics', legacy, '99', '--port', '1']), [
      ...['--metrics', '--n-gpu-layers', '99', '--port', '1'],
    ]);
    assert.deepEqual(flagsOf([`${legacy}=7`]), ['--n-gpu-layers=7']);
  }
  const others = ['--alias', 'a=b', '-nglx', 'ngl'];
  assert.deepEqual(flagsOf(others), others);
  assert.deepEqual(flagsOf(['-ngl', '9'], 'vllm'), ['-ngl', '9']);
});

test('B-DP-194: llama.cpp is deterministic with one slot and without continuous batching', () => {
  const of = (engine: string, ...flags: string[]) => isDeterministic({ engine, flags });
  assert.ok(of('llamacpp', '--parallel', '1', '--no-cont-batching'));
  assert.ok(of('llamacpp', '-nocb', '-np', '1'));
  assert.equal(of('llamacpp', '--parallel', '2', '--no-cont-batching'), false);
  assert.equal(of('llamacpp', '--parallel', '1'), false);
  assert.equal(of('vllm', '--parallel', '1', '--no-cont-batching'), false);
  assert.equal(isDeterministic({ engine: 'llamacpp' }), false);
});
