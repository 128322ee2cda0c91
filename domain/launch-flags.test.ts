import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withKnownFlags } from './launch-flags.js';

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
