import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { access, chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { EngineOrder, EnginePlan } from '../../contracts/provisioning.js';
import type { ProvidedEngine } from '../../domain/engine-provision.js';
import { eventually } from '../../testing/changes.js';
import { ModelServer } from '../../testing/model-server.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { runToEnd } from '../../testing/run-to-end.js';
import { SCRIPTED_CMAKE, sourceRepository, toolBelt, type ToolBelt } from '../../testing/tool-belt.js';
import type { NodeActivityDeps } from '../deps.js';
import { processStartTicks } from '../process/process-identity.js';
import { takeEngineStepActivity } from './take-engine-step.js';

const ENGINE = '#!/bin/sh\necho an engine\n';
const NOTHING = 'exit 0';

interface Workshop {
  node: PoolNode;
  belt: ToolBelt;
  folder: string;
  /** Where engines are kept. */
  cache: string;
}

async function workshop(
  t: TestContext,
  { mayInstall = false, alone = false } = {},
  changes: Partial<NodeActivityDeps> = {},
): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-workshop-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const belt = await toolBelt(folder);
  const cache = join(folder, 'engines');
  const env = () => ({
    PATH: alone ? belt.alone : belt.path,
    DROVER_NODE_TOKEN: 'a secret',
    HOME: '/elsewhere',
  });
  const node = await poolNode(t, { engines: { dir: cache, mayInstall }, env, ...changes });
  return { node, belt, folder, cache };
}

/** A workshop with the tools that a build takes, and an engine's source. */
async function sourceWorkshop(
  t: TestContext,
  files: Record<string, string> = {},
  changes: Partial<NodeActivityDeps> = {},
) {
  const shop = await workshop(t, {}, changes);
  for (const tool of ['make', 'gcc']) await shop.belt.put(tool, NOTHING);
  await shop.belt.put('cmake', SCRIPTED_CMAKE);
  const repository = await sourceRepository(shop.folder, { v1: { 'engine.sh': ENGINE, ...files } });
  return { ...shop, order: (changes = {}) => sourceOrder(repository, changes) };
}

function sourceOrder(repository: string, changes = {}): EngineOrder {
  const provisioning = { mode: 'source' as const, repository, ref: 'main', build_flags: [], ...changes };
  return { pool_id: 'gpu-0', engine: 'llamacpp', backend: 'cpu', provisioning };
}

async function make(node: PoolNode, order: EngineOrder): Promise<ProvidedEngine> {
  const { engine_id, present, steps } = await node.run('planEngine', order);
  if (present !== null) return present;
  for (const step of steps) await node.run('takeEngineStep', { ...order, engine_id, step });
  return node.run('recordEngine', { ...order, engine_id });
}

async function failureOf(work: Promise<unknown>): Promise<ApplicationFailure> {
  const failure = await work.then(
    () => assert.fail('it should have failed'),
    (err: unknown) => err,
  );
  assert.ok(failure instanceof ApplicationFailure, String(failure));
  assert.equal(failure.type, 'ProvisionFailed');
  return failure;
}

test('an engine is built from its source, and what was built is built once (B-PROV-005)', async (t) => {
  const { node, belt, order } = await sourceWorkshop(t);
  const made = await make(node, order({ build_flags: ['-DGGML_NATIVE=OFF'] }));
  assert.equal(await runToEnd(made.path, []), 'an engine\n');
  assert.equal(made.digest, `sha256:${createHash('sha256').update(ENGINE).digest('hex')}`);
  const [configured = '', built = '', ...more] = await belt.calls('cmake');
  assert.match(configured, /^-S \S+ -B \S+ -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF$/);
  assert.match(built, /^--build \S+ --config Release --parallel \d+$/);
  assert.deepEqual(more, []);
  assert.deepEqual(await make(node.restarted(), order({ build_flags: ['-DGGML_NATIVE=OFF'] })), made);
  assert.equal((await belt.calls('cmake')).length, 2);
  const other = await make(node, order({ build_flags: ['-DGGML_NATIVE=ON'] }));
  assert.notEqual(other.path, made.path);
  assert.equal((await belt.calls('cmake')).length, 4);
});

test('an engine that was made is on record with what it was made from (B-CAT-055)', async (t) => {
  const { node, cache, order } = await sourceWorkshop(t);
  const { id, path, digest } = await make(node, order({ build_flags: ['-DX=1'] }));
  const record = JSON.parse(await readFile(join(cache, id, 'engine.json'), 'utf8')) as { created_ms: number };
  const { repository } = order().provisioning as { repository: string };
  assert.deepEqual(
    { ...record, created_ms: 0 },
    {
      ...{ id, digest, engine: 'llamacpp', version: 'llamacpp-source:main-cpu' },
      ...{ build_ref: `${repository}@main`, build_flags: ['-DCMAKE_BUILD_TYPE=Release', '-DX=1'] },
      ...{ artifacts: [path], created_ms: 0 },
    },
  );
  assert.ok(Math.abs(Date.now() - record.created_ms) < 60_000);
});

test('an engine whose program is gone is made again', async (t) => {
  const { node, order } = await sourceWorkshop(t);
  const made = await make(node, order());
  await rm(dirname(dirname(dirname(dirname(made.path)))), { recursive: true });
  assert.deepEqual(await make(node, order()), made);
  await access(made.path);
});

test('two pools that want the same engine at once have it built once', async (t) => {
  const { node, belt, order } = await sourceWorkshop(t);
  const wanted = order();
  const { engine_id } = await node.run('planEngine', wanted);
  const take = takeEngineStepActivity(node.deps);
  const steps = ['git-clone', 'cmake-configure', 'cmake-build'] as const;
  const pool = async (pool_id: string) => {
    for (const step of steps) {
      const environment = new MockActivityEnvironment();
      await environment.run(take, { ...wanted, pool_id, engine_id, step });
    }
  };
  await Promise.all([pool('gpu-0'), pool('gpu-1')]);
  assert.equal((await belt.calls('cmake')).length, 2);
});

test('a build stays below the cache, and sees nothing of the environment that it does not need (B-PROV-010)', async (t) => {
  const { node, folder, cache, order } = await sourceWorkshop(t);
  const before = await readdir(folder);
  const { path } = await make(node, order());
  assert.ok(path.startsWith(`${cache}/`));
  assert.deepEqual(await readdir(folder), [...before, 'engines'].sort());
  const seen = await readFile(join(dirname(dirname(path)), 'seen-environment'), 'utf8');
  const variables = new Map(seen.split('\n').map((line) => line.split('=', 2) as [string, string]));
  const ofShells = ['PWD', 'OLDPWD', 'SHLVL', '_', ''];
  const names = [...variables.keys()].filter((name) => !ofShells.includes(name)).sort();
  assert.deepEqual(names, ['DROVER_SPAWN_TOKEN', 'HOME', 'LANG', 'PATH', 'TMPDIR']);
  for (const name of ['HOME', 'TMPDIR']) assert.ok(variables.get(name)?.startsWith(`${cache}/`), name);
});

test('a build runs as whom engines run as, and cannot lead the worker elsewhere', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can build as another user');
  const engineUser = { uid: 65_534, gid: 65_534 };
  const { node, folder, cache, order } = await sourceWorkshop(t, {}, { engineUser });
  await chmod(folder, 0o755);
  await runToEnd('chown', ['-R', '65534:65534', join(folder, 'origin'), join(folder, 'bin')]);
  const { path, id } = await make(node, order());
  assert.equal((await stat(path)).uid, engineUser.uid);
  for (const name of ['engine.json', 'cmake-build.done', 'cmake-build.log', '.'])
    assert.equal((await stat(join(cache, id, name))).uid, 0, name);
});

test('every tool that is missing is named, not the first alone (B-PREFLIGHT-020)', async (t) => {
  const { node, belt } = await workshop(t, { alone: true });
  const order = sourceOrder('file:///srv/engine');
  const { message, nonRetryable } = await failureOf(node.run('planEngine', { ...order, backend: 'cuda' }));
  assert.match(message, /missing on the node: git, cmake, make, gcc, nvcc;/);
  assert.equal(nonRetryable, true);
  await belt.put('clang', NOTHING);
  await belt.put('git', NOTHING);
  assert.match((await failureOf(node.run('planEngine', order))).message, /missing on the node: cmake, make;/);
  const url = 'https://releases.test/engine.zip';
  const provisioning = { mode: 'binary' as const, url, sha256: '0'.repeat(64), program: 'engine' };
  assert.match(
    (await failureOf(node.run('planEngine', { ...order, provisioning }))).message,
    /missing on the node: unzip;/,
  );
});

test('tools are installed where the node may install packages, and else only reported (B-PREFLIGHT-021)', async (t) => {
  for (const mayInstall of [false, true]) {
    const { node, belt } = await workshop(t, { mayInstall, alone: true });
    for (const tool of ['git', 'make', 'gcc']) await belt.put(tool, NOTHING);
    await belt.put('apt-get', NOTHING);
    const order = sourceOrder('file:///srv/engine');
    if (!mayInstall) {
      const { message } = await failureOf(node.run('planEngine', order));
      assert.match(message, /missing on the node: cmake; .*DROVER_NODE_PACKAGE_INSTALL/);
      assert.deepEqual(await belt.calls('apt-get'), []);
      continue;
    }
    const { engine_id, steps } = await node.run('planEngine', order);
    assert.deepEqual(steps, ['package-install', 'git-clone', 'cmake-configure', 'cmake-build']);
    await node.run('takeEngineStep', { ...order, engine_id, step: 'package-install' });
    const [update = '', install = ''] = await belt.calls('apt-get');
    assert.match(update, / update$/);
    assert.match(install, / --yes --no-install-recommends install cmake$/);
    // What comes from NVIDIA is no package of the system's.
    const { message } = await failureOf(node.run('planEngine', { ...order, backend: 'cuda' }));
    assert.match(message, /missing on the node: cmake, nvcc;/);
  }
});

test('a step that fails is named with its exit code and its last words, and what it left is gone on from (B-PROV-012)', async (t) => {
  const { node, belt, cache, order } = await sourceWorkshop(t, { broken: '' });
  const failed = await failureOf(make(node, order()));
  assert.equal(failed.message, "cmake-build ended with exit code 2:\nengine.sh:1: error: expected ';'");
  assert.equal(failed.nonRetryable, true);
  assert.equal((failed.details?.[0] as { exit_code: number }).exit_code, 2);
  await failureOf(make(node, order()));
  const calls = await belt.calls('cmake');
  assert.equal(calls.filter((call) => call.startsWith('--build')).length, 2);
  assert.equal(calls.length, 3);

  const unknown = await failureOf(make(node, order({ ref: 'no-such-branch' })));
  assert.match(unknown.message, /^git-clone ended with exit code 128:\n[^]*no-such-branch/);
  assert.equal(unknown.message.includes(cache), false);
  const { engine_id } = await node.run('planEngine', order({ ref: 'no-such-branch' }));
  assert.deepEqual((await readdir(join(cache, engine_id, 'work'))).sort(), ['tmp']);
});

test('a program that is not where it was said to be is a failure that names it', async (t) => {
  const { node, order } = await sourceWorkshop(t);
  const { message } = await failureOf(make(node, order({ program: 'bin/other-server' })));
  assert.equal(message, 'the engine has no program bin/other-server: ENOENT: no such file or directory');
});

test('a cancel ends the build with all that it has started, and a worker ends what the one before it left', async (t) => {
  const { node, belt, folder, cache, order } = await sourceWorkshop(t);
  const started = join(folder, 'started');
  const wanted = order();
  const { engine_id } = await node.run('planEngine', wanted);
  await node.run('takeEngineStep', { ...wanted, engine_id, step: 'git-clone' });
  await belt.put('cmake', `sleep 300 &\necho $! > ${started}\nwait`);
  const configure = { ...wanted, engine_id, step: 'cmake-configure' as const };
  const sleeper = async (): Promise<number> => {
    const said = () =>
      readFile(started, 'utf8').then(
        (text) => text.trim(),
        () => '',
      );
    const pid = await eventually(
      () => 'the build',
      async () => (await said()) || undefined,
    );
    await rm(started);
    return Number(pid);
  };

  const environment = new MockActivityEnvironment();
  const cancelled = environment.run(takeEngineStepActivity(node.deps), configure);
  const first = await sleeper();
  environment.cancel('CANCELLED');
  await assert.rejects(cancelled, CancelledFailure);
  assert.equal(await processStartTicks(first), undefined);

  // As a worker leaves it that is killed: nobody waits for the step.
  const killed = new MockActivityEnvironment();
  const lost = killed.run(takeEngineStepActivity(node.deps), configure).catch(() => undefined);
  const second = await sleeper();
  await access(join(cache, engine_id, 'running.json'));
  await belt.put('cmake', SCRIPTED_CMAKE);
  await node.restarted().run('takeEngineStep', configure);
  assert.equal(await processStartTicks(second), undefined);
  await lost;
});

/** An archive with a program in it, served over HTTP. */
async function binaryWorkshop(t: TestContext) {
  const shop = await workshop(t);
  const { folder } = shop;
  await writeFile(join(folder, 'serve'), ENGINE);
  await runToEnd('tar', ['-czf', join(folder, 'engine.tar.gz'), '-C', folder, 'serve']);
  const archive = await readFile(join(folder, 'engine.tar.gz'));
  const server = await ModelServer.start();
  t.after(() => server.close());
  return { ...shop, server, archive };
}

function binaryOrder(url: string, bytes: Uint8Array, program?: string): EngineOrder {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const provisioning = {
    mode: 'binary' as const,
    url,
    sha256,
    ...(program === undefined ? {} : { program }),
  };
  return { pool_id: 'gpu-0', engine: 'llamacpp', backend: 'cpu', provisioning };
}

test('an engine is downloaded, as a program or in an archive, checked, and kept below the cache (B-PROV-004, B-PROV-010)', async (t) => {
  const { node, server, archive, cache } = await binaryWorkshop(t);
  server.put('/r/engine.tar.gz', archive);
  server.put('/r/engine', Buffer.from(ENGINE));
  for (const order of [
    binaryOrder(`${server.url}/r/engine.tar.gz`, archive, 'serve'),
    binaryOrder(`${server.url}/r/engine`, Buffer.from(ENGINE)),
  ]) {
    const made = await make(node, order);
    assert.equal(await runToEnd(made.path, []), 'an engine\n');
    assert.ok(made.path.startsWith(`${cache}/`));
    const asked = server.seen.length;
    assert.deepEqual(await make(node, order), made);
    assert.equal(server.seen.length, asked);
  }
  const wrong = binaryOrder(`${server.url}/r/engine`, Buffer.from('another engine'));
  const { message } = await failureOf(make(node, wrong));
  assert.match(message, /^download: engine has the SHA-256 [0-9a-f]{64}, and should have [0-9a-f]{64}$/);
  const plan: EnginePlan = await node.run('planEngine', wrong);
  assert.equal(plan.present, null);
  const none = await failureOf(make(node, binaryOrder(`${server.url}/r/none`, archive)));
  assert.equal(none.nonRetryable, true);
});

test('an engine that is a package is installed where that is allowed, and used where it is there (B-PROV-004, B-PREFLIGHT-021)', async (t) => {
  const provisioning = {
    mode: 'package' as const,
    package: 'tiny-engine',
    version: '1.2-1',
    program: 'tiny-engine',
  };
  const order: EngineOrder = { pool_id: 'gpu-0', engine: 'openai', backend: 'cpu', provisioning };
  for (const mayInstall of [false, true]) {
    const { node, belt, folder } = await workshop(t, { mayInstall });
    const database = join(folder, 'installed');
    await belt.put('dpkg-query', `cat ${database} 2>/dev/null`);
    const install = `case "$*" in *" install tiny-engine=1.2-1") printf 'installed 1.2-1' > ${database};; esac`;
    await belt.put('apt-get', install);
    if (!mayInstall) {
      const { message } = await failureOf(node.run('planEngine', order));
      assert.match(message, /package tiny-engine is not installed on the node, which may not install it/);
      assert.deepEqual(await belt.calls('apt-get'), []);
      continue;
    }
    await belt.put('tiny-engine', 'echo tiny');
    const made = await make(node, order);
    assert.equal(await runToEnd(made.path, []), 'tiny\n');
    const { present } = await node.run('planEngine', order);
    assert.deepEqual(present, made);
    assert.equal((await belt.calls('apt-get')).length, 2);
  }
});
