import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { SpawnRecord } from '../../contracts/handoff.js';
import { preparedEngine } from '../../contracts/pool.js';
import { livingGroup, startFakeEngine, type StartedEngine } from '../../testing/started-engine.js';
import { noAudit } from '../../security/audit/audit-log.js';
import { replicaFiles } from '../replica-files.js';
import { endLeftEngine, findLeftEngines } from './adopt.js';
import { writePidFile } from './pid-file.js';
import { argvDigest, bootId } from './process-identity.js';
import { writeSpawnRecord } from './spawn-record.js';

const TOKEN = 'left-behind';

async function leave(t: TestContext, engine: StartedEngine, changes: Partial<SpawnRecord> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'drover-adopt-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const paths = { runtimeDir: join(folder, 'node'), handoffDir: join(folder, 'engines') };
  const prepared = preparedEngine.parse({
    pool_id: 'gpu-0',
    engine_version: 'fake-1',
    binary_path: engine.command,
    flags: [...engine.args],
    port: 1,
    model_path: '/m.gguf',
    model_ref: 'demo',
    slots_total: 1,
    ctx_max: 1,
  });
  const record: SpawnRecord = {
    pool_id: 'gpu-0',
    replica_id: 'r0',
    pid: engine.pid,
    started_ticks: engine.startTicks,
    boot_id: await bootId(),
    argv_digest: argvDigest([engine.command, ...engine.args]),
    token: TOKEN,
    spawned_at_ms: 1,
    prepared,
    ...changes,
  };
  const files = replicaFiles(paths, record);
  await mkdir(paths.runtimeDir, { recursive: true });
  await mkdir(paths.handoffDir, { recursive: true });
  await writeSpawnRecord(files.spawnRecord, record);
  await writePidFile(files.pidFile, engine.pid);
  await writeFile(files.handoff, '{}');
  return { paths, files, deps: { paths, stopGraceMs: 5_000, audit: noAudit, nodeId: 'node-1' } };
}

test('B-PRELOAD-072: an engine that runs is found by its record, and ended with its files when it is not taken over', async (t) => {
  const engine = await startFakeEngine(t, [], TOKEN);
  const { paths, files, deps } = await leave(t, engine);
  const [left, ...others] = await findLeftEngines(paths.runtimeDir);
  assert.ok(left);
  assert.deepEqual(others, []);
  assert.equal(left.alive, true);
  assert.equal(left.record.pid, engine.pid);

  assert.deepEqual(await endLeftEngine(left, deps, 'test'), { forced: false });
  assert.deepEqual(await livingGroup(engine.pid), []);
  for (const path of [files.pidFile, files.spawnRecord, files.handoff])
    assert.equal(existsSync(path), false, path);
});

test('B-PROC-016: a record whose pid is another process by now is stale: its files go, the process stays', async (t) => {
  const engine = await startFakeEngine(t, [], 'of somebody else');
  const { paths, files, deps } = await leave(t, engine);
  const [left] = await findLeftEngines(paths.runtimeDir);
  assert.ok(left);
  assert.equal(left.alive, false);
  assert.deepEqual(await endLeftEngine(left, deps, 'test'), { forced: false });
  assert.equal((await livingGroup(engine.pid)).length, 1);
  assert.equal(existsSync(files.pidFile), false);
  assert.equal(existsSync(files.spawnRecord), false);
});

test('children of an engine that is gone are ended by the token that they inherited', async (t) => {
  const engine = await startFakeEngine(t, ['--orphan-child'], TOKEN);
  await engine.exited;
  const { paths, deps } = await leave(t, engine);
  const [left] = await findLeftEngines(paths.runtimeDir);
  assert.ok(left);
  assert.equal(left.alive, false);
  await endLeftEngine(left, { ...deps, stopGraceMs: 0 }, 'test');
  assert.deepEqual(await livingGroup(engine.pid), []);
});

test('records that cannot be read prove nothing', async (t) => {
  const engine = await startFakeEngine(t, [], TOKEN);
  const { paths } = await leave(t, engine);
  await writeFile(join(paths.runtimeDir, 'torn.spawn.json'), '{"pid": 12');
  await writeFile(join(paths.runtimeDir, 'other.spawn.json'), '{"pid": 1}');
  assert.equal((await findLeftEngines(paths.runtimeDir)).length, 1);
});
