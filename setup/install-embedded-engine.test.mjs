import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { chooseBackends } from './install-embedded-engine.mjs';

const FOLDER = resolve(import.meta.dirname, '..', 'engines', 'embedded');
const BACKENDS = [
  ...['linux-arm64', 'linux-x64', 'linux-x64-cuda', 'linux-x64-cuda-ext', 'linux-x64-vulkan'],
  ...['mac-arm64-metal', 'mac-x64', 'win-x64', 'win-x64-cuda'],
];
const ALL_LINUX = ['linux-x64', 'linux-x64-cuda', 'linux-x64-cuda-ext', 'linux-x64-vulkan'];
const NONE = { nvidia: false, vulkan: false };
const LINUX = { platform: 'linux', arch: 'x64', ...NONE };

const ROWS = [
  ['a machine without a GPU gets the processor alone', 'auto', LINUX, ['linux-x64']],
  ['an NVIDIA card gets every backend of the platform', 'auto', { ...LINUX, nvidia: true }, ALL_LINUX],
  ['another card gets Vulkan', 'auto', { ...LINUX, vulkan: true }, ['linux-x64', 'linux-x64-vulkan']],
  ['an image for other machines may take them all', 'gpu', LINUX, ALL_LINUX],
  ['the GPU can be left out', 'cpu', { ...LINUX, nvidia: true }, ['linux-x64']],
  ['a Mac has one', 'auto', { platform: 'darwin', arch: 'arm64', ...NONE }, ['mac-arm64-metal']],
  ['a small server has one', 'auto', { platform: 'linux', arch: 'arm64', ...NONE }, ['linux-arm64']],
];
for (const [title, wish, machine, expected] of ROWS) {
  test(title, () => assert.deepEqual(chooseBackends(BACKENDS, wish, machine), expected));
}

test('a platform without a prebuilt llama.cpp is told what to do', () => {
  assert.throws(
    () => chooseBackends(BACKENDS, 'auto', { ...LINUX, platform: 'sunos' }),
    /build llama-server/,
  );
});

test('the lockfile pins every backend of the pinned version, with its hash, and names no registry', async () => {
  const text = await readFile(join(FOLDER, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text);
  const { version, optionalDependencies } = packages['node_modules/node-llama-cpp'];
  for (const [name, wanted] of Object.entries(optionalDependencies)) {
    const entry = packages[`node_modules/${name}`];
    assert.deepEqual([wanted, entry?.version], [version, version], name);
    assert.match(entry.integrity, /^sha512-/);
  }
  assert.doesNotMatch(text, /"resolved"/);
});
