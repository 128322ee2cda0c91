import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { withoutAliases } from '../contracts/setting-aliases.js';
import { readSettings } from '../contracts/settings.js';
import { fakeGpus } from '../testing/fake-gpus.js';
import { chooseEngine } from './engine-choice.js';

const MODEL = { path: '/models/m.gguf', ref: 'demo', name: 'demo', alias: 'demo' };

/** The PATH of this process while the test runs. */
function setPath(t: TestContext, PATH: string): void {
  const before = process.env['PATH'];
  t.after(() => (process.env['PATH'] = before));
  process.env['PATH'] = PATH;
}

/** A llama-server that says this of its version. */
async function serverSaying(t: TestContext, words: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-server-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'llama-server');
  await writeFile(path, `#!/bin/sh\necho '${words}' >&2\n`, { mode: 0o755 });
  return path;
}

async function launchOf(env: Record<string, string>) {
  return (await chooseEngine(readSettings(env), MODEL)).prepared;
}

test('B-PROV-006, B-PROV-009: llama-server is told model, host, port and, on a GPU, its layers; its version is its own word', async (t) => {
  const server = await serverSaying(t, 'version: 4242 (abcdef)');
  setPath(t, '/nowhere');
  const onCpu = await launchOf({ DROVER_ENGINE_BINARY: server });
  const { port } = onCpu;
  assert.deepEqual(onCpu.flags.slice(0, 8), [
    ...['--model', '/models/m.gguf', '--alias', 'demo', '--host', '127.0.0.1', '--port', String(port)],
  ]);
  assert.deepEqual([onCpu.backend, onCpu.flags.includes('--n-gpu-layers')], ['cpu', false]);
  assert.deepEqual([onCpu.engine_version, onCpu.provisioning_mode], ['4242', 'binary']);
  const gpus = await fakeGpus(t, [{ index: '0' }]);
  process.env['PATH'] = gpus.PATH;
  const onGpu = await launchOf({ DROVER_ENGINE_BINARY: server });
  const at = onGpu.flags.indexOf('--n-gpu-layers');
  assert.deepEqual([onGpu.backend, onGpu.flags[at + 1]], ['cuda', '999']);
  const mute = await launchOf({ DROVER_ENGINE_BINARY: await serverSaying(t, 'hello') });
  assert.equal(mute.engine_version, 'unknown');
});

test('B-PROV-006, B-DP-194: a deterministic pool has one slot, no continuous batching, no web page, and its metrics', async (t) => {
  const server = await serverSaying(t, 'version: 4242');
  setPath(t, '/nowhere');
  const settings = { DROVER_POOL_DETERMINISTIC: 'true', DROVER_POOL_SLOTS: '4', DROVER_POOL_CTX: '1000' };
  const { flags, slots_total } = await launchOf({ ...settings, DROVER_ENGINE_BINARY: server });
  for (const flag of ['--no-cont-batching', '--no-webui', '--metrics']) assert.ok(flags.includes(flag), flag);
  const valueOf = (flag: string) => flags[flags.indexOf(flag) + 1];
  assert.deepEqual([valueOf('--parallel'), valueOf('--ctx-size'), slots_total], ['1', '1000', 1]);
  const embedded = await launchOf(settings);
  assert.deepEqual([embedded.slots_total, embedded.flags.includes('--no-webui')], [1, false]);
  const usual = await launchOf({ DROVER_ENGINE_BINARY: server });
  assert.deepEqual([usual.slots_total, usual.flags.includes('--no-cont-batching')], [4, false]);
});

test('B-WRK-001: the program that is named comes before the one on PATH, and without either it is the embedded engine', async (t) => {
  const [named, onPath] = [await serverSaying(t, 'version: 1'), await serverSaying(t, 'version: 2')];
  setPath(t, `/nowhere:${dirname(onPath)}`);
  const other = withoutAliases({ LLORCH_WORKER_BINARY: named }) as Record<string, string>;
  assert.equal((await launchOf(other)).binary_path, named);
  assert.equal((await launchOf({ ...other, DROVER_ENGINE_BINARY: onPath })).binary_path, onPath);
  assert.equal((await launchOf({})).binary_path, onPath);
  setPath(t, '/nowhere');
  assert.equal((await launchOf({})).binary_path, process.execPath);
  await assert.rejects(
    launchOf({ DROVER_ENGINE_BINARY: '/opt/none' }),
    /DROVER_ENGINE_BINARY: \/opt\/none is no program/,
  );
});
