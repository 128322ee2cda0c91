import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { readArguments } from './arguments.js';

test('the defaults are llama-server’s, except for threads, of which one core is left to others', () => {
  assert.deepEqual(readArguments(['--model', 'm.gguf']), {
    model: 'm.gguf',
    host: '127.0.0.1',
    port: 9931,
    contextSize: 0,
    parallel: 1,
    threads: Math.max(1, availableParallelism() - 1),
    gpuLayers: undefined,
    alias: undefined,
    embeddings: false,
    metrics: false,
    worker: {
      id: undefined,
      callbackUrl: undefined,
      url: undefined,
      modelRef: undefined,
      backend: undefined,
      device: null,
      mostTokens: 2048,
    },
  });
});

test('llama-server’s short and alternative spellings are understood', () => {
  const short = [
    '-m',
    'm',
    '-c',
    '4096',
    '-np',
    '2',
    '-t',
    '3',
    '-ngl',
    '0',
    '-a',
    'demo',
    '--metrics',
    '--port',
    '0',
  ];
  const read = readArguments(short);
  assert.deepEqual([read.contextSize, read.parallel, read.threads, read.gpuLayers], [4096, 2, 3, 0]);
  assert.deepEqual([read.alias, read.metrics, read.port], ['demo', true, 0]);
  assert.equal(readArguments(['-m', 'm', '--gpu-layers', '7']).gpuLayers, 7);
});

test('a negative number is a value, not another flag', () => {
  assert.equal(readArguments(['-m', 'm', '-ngl', '-1']).gpuLayers, undefined);
  assert.equal(readArguments(['-m', 'm', '--n-gpu-layers=-1']).gpuLayers, undefined);
});

const MISTAKES: readonly (readonly [string, string[], RegExp])[] = [
  ['no model', [], /--model is missing/],
  ['an unknown flag', ['-m', 'm', '--bogus'], /--bogus/],
  ['a port that is none', ['-m', 'm', '--port', '70000'], /--port takes a whole number from 0 to 65535/],
  ['no slots', ['-m', 'm', '--parallel', '0'], /--parallel takes a whole number from 1/],
  ['a size in words', ['-m', 'm', '-c', '4k'], /--ctx-size takes a whole number/],
];
for (const [title, args, message] of MISTAKES) {
  test(`${title} is refused with the flag’s name`, () => {
    assert.throws(() => readArguments(args), message);
  });
}
