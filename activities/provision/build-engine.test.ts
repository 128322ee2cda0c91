import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { access, chmod, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { eventually } from '../../testing/changes.js';
import { ENGINE, failureOf, make, sourceWorkshop } from '../../testing/engine-workshop.js';
import { runToEnd } from '../../testing/run-to-end.js';
import { SCRIPTED_CMAKE } from '../../testing/tool-belt.js';
import { processStartTicks } from '../process/process-identity.js';
import { endLeftCommands } from './run-command.js';
import { takeEngineStepActivity } from './take-engine-step.js';

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

test('a worker that begins ends what the one before it was building, though nobody wants it any more', async (t) => {
  const { node, belt, folder, cache, order } = await sourceWorkshop(t);
  const started = join(folder, 'started');
  await belt.put('cmake', `echo $$ > ${started}\nexec sleep 300`);
  const wanted = order();
  const { engine_id } = await node.run('planEngine', wanted);
  await node.run('takeEngineStep', { ...wanted, engine_id, step: 'git-clone' });
  const step = 'cmake-configure' as const;
  const lost = node.run('takeEngineStep', { ...wanted, engine_id, step }).catch(() => undefined);
  const pid = await eventually(
    () => 'the build to be noted',
    async () => {
      const noted = await readFile(join(cache, engine_id, 'running.json'), 'utf8').catch(() => '');
      const said = await readFile(started, 'utf8').catch(() => '');
      return noted === '' ? undefined : Number(said) || undefined;
    },
  );
  await endLeftCommands(cache, 1_000);
  assert.equal(await processStartTicks(pid), undefined);
  await lost;
});
