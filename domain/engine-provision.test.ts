import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildFlags,
  planTools,
  providedVersion,
  provisioningProblem,
  stepsOf,
  toolsOf,
  type EngineWish,
} from './engine-provision.js';

const SOURCE = {
  ...({ mode: 'source', repository: 'https://git.test/engine', ref: 'b6000' } as const),
  build_flags: ['-DX=1'],
};
const BINARY = { mode: 'binary', url: 'https://e.test/serve', sha256: '12'.repeat(32) } as const;
const CUDA = { engine: 'llamacpp', backend: 'cuda' };
const CPU = { engine: 'llamacpp', backend: 'cpu' };

test('a build for a GPU pool takes its compiler, and has CUDA unless somebody says otherwise', () => {
  assert.deepEqual(toolsOf(SOURCE, CUDA).at(-1), ['nvcc']);
  assert.equal(
    toolsOf(SOURCE, CPU).some(([tool]) => tool === 'nvcc'),
    false,
  );
  assert.deepEqual(buildFlags(SOURCE, CUDA), ['-DCMAKE_BUILD_TYPE=Release', '-DGGML_CUDA=ON', '-DX=1']);
  assert.deepEqual(buildFlags(SOURCE, CPU), ['-DCMAKE_BUILD_TYPE=Release', '-DX=1']);
  const told = { ...SOURCE, build_flags: ['-DGGML_CUDA:BOOL=ON'] };
  assert.deepEqual(buildFlags(told, CUDA), ['-DCMAKE_BUILD_TYPE=Release', '-DGGML_CUDA:BOOL=ON']);
  assert.deepEqual(buildFlags(SOURCE, { engine: 'openai', backend: 'cuda' }).length, 2);
});

test('what is downloaded is unpacked where its name says that it is an archive, with the tools for it', () => {
  const archives: [string, string[]][] = [
    ['a.tar.gz?token=x', ['tar', 'gzip']],
    ['a.tgz', ['tar', 'gzip']],
    ['a.tar.xz', ['tar', 'xz']],
    ['a.tar', ['tar']],
    ['a.zip', ['unzip']],
  ];
  for (const [name, tools] of archives) {
    const wish: EngineWish = { ...BINARY, url: `https://e.test/${name}`, program: 'serve' };
    assert.deepEqual([stepsOf(wish), toolsOf(wish, CPU).flat()], [['download', 'unpack'], tools], name);
  }
  assert.deepEqual([stepsOf(BINARY), toolsOf(BINARY, CPU)], [['download'], []]);
});

test('B-PREFLIGHT-020: all tools that are missing are named together', () => {
  assert.deepEqual(planTools([], false), { ok: true, packages: [] });
  const refused = planTools(['git', 'cmake', 'nvcc'], false);
  assert.ok(!refused.ok);
  assert.match(refused.problem, /: git, cmake, nvcc; install them/);
});

test('B-PREFLIGHT-021: tools are installed where a node may, as far as they are packages', () => {
  assert.deepEqual(planTools(['git', 'gcc'], true), { ok: true, packages: ['git', 'g++'] });
  const refused = planTools(['git', 'nvcc'], true);
  assert.ok(!refused.ok);
  assert.match(refused.problem, /: git, nvcc; not all of them are packages/);
});

test('the version of an engine tells how it came about', () => {
  assert.equal(providedVersion(SOURCE, CUDA), 'llamacpp-source:b6000-cuda');
  assert.equal(providedVersion(BINARY, CPU), 'llamacpp-binary:sha256-121212121212-cpu');
  const wish = { mode: 'package', package: 'llama.cpp', program: 'llama-server' } as const;
  assert.equal(providedVersion(wish, CPU), 'llamacpp-package:llama.cpp-cpu');
});

test('a launch that contradicts itself about its engine is refused', () => {
  const launch = { binary_path: '{engine_path}', provisioning_mode: 'binary', engine: 'llamacpp' };
  const fieldOf = (changes: Partial<Parameters<typeof provisioningProblem>[0]>) =>
    provisioningProblem({ ...launch, ...changes })?.field.join('.');
  assert.equal(fieldOf({}), 'binary_path');
  assert.equal(fieldOf({ provisioning: SOURCE }), undefined);
  assert.equal(fieldOf({ provisioning: SOURCE, provisioning_mode: 'source' }), undefined);
  assert.equal(fieldOf({ provisioning: SOURCE, provisioning_mode: 'external' }), 'provisioning_mode');
  assert.equal(fieldOf({ provisioning: SOURCE, engine: 'vllm' }), 'provisioning.program');
  assert.equal(fieldOf({ provisioning: { ...BINARY, url: 'https://e.test/e.zip' } }), 'provisioning.program');
  assert.equal(fieldOf({ provisioning: BINARY }), undefined);
  assert.equal(fieldOf({ binary_path: '/opt/serve' }), undefined);
});
