import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, stat, writeFile, mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { SpawnRecord } from '../../contracts/handoff.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import type { PoolFailureDetails } from '../failures.js';
import type { AuditEvent } from '../../security/audit/audit-chain.js';
import { withCorrelation } from '../../telemetry/correlation.js';
import { eventually } from '../../testing/changes.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { livingGroup } from '../../testing/started-engine.js';
import { findByToken, processStartTicks } from '../process/process-identity.js';
import { readSpawnRecord } from '../process/spawn-record.js';
import { replicaFiles } from '../replica-files.js';
import { engineEnvironment, type SpawnedEngine } from './spawn-engine.js';

const GPU0 = { pool_id: 'gpu-0', replica_id: 'r0' };

/** What of a launch decides which GPUs its engine sees. */
const ON_GPUS = {
  ...{ env: {}, flags: [], backend: 'cuda', engine: 'llamacpp' },
  ...{ device_mask: null, tensor_split: null },
} satisfies Partial<PreparedEngine>;

interface Seen {
  argv: string[];
  env: Record<string, string>;
  cwd: string;
}

/** What the fake engine says of itself. */
function ask({ url }: SpawnedEngine): Promise<Seen> {
  return eventually(
    () => `${url} to answer`,
    async () => {
      const answer = await fetch(`${url}/fake`).catch(() => undefined);
      return answer === undefined ? undefined : ((await answer.json()) as Seen);
    },
  );
}

function filesOf(node: PoolNode, replica = GPU0) {
  return replicaFiles(node.deps.paths, replica);
}

async function recordOf(node: PoolNode): Promise<SpawnRecord> {
  const record = await readSpawnRecord(filesOf(node).spawnRecord);
  assert.ok(record);
  return record;
}

test('B-PRELOAD-001 B-PRELOAD-002 B-PREP-003: the process is the binary with all flags in their order, no shell between', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared(['--alias', 'a b', '--odd', '$(id)', '']);
  const engine = await node.run('spawnEngine', prepared);
  assert.deepEqual((await ask(engine)).argv, prepared.flags);
  const cmdline = (await readFile(`/proc/${engine.pid}/cmdline`, 'utf8')).split('\0');
  assert.ok(cmdline.includes(prepared.binary_path));
});

test('B-AUDIT-001: the audit log has each engine that was started, once, under the id of its request', async (t) => {
  const audited: AuditEvent[] = [];
  const node = await poolNode(t, { audit: { record: async (event) => void audited.push(event) } });
  const prepared = await node.prepared();
  const spawned = await withCorrelation('preload-1', () => node.run('spawnEngine', prepared));
  await withCorrelation('preload-1', () => node.run('spawnEngine', prepared));
  const [entry, ...more] = audited;
  assert.deepEqual([entry?.event_type, entry?.actor, more], ['worker_spawned', 'node:node-1', []]);
  assert.deepEqual(entry?.details, {
    ...{ worker_id: 'gpu-0/r0', pool_id: 'gpu-0', replica_id: 'r0', engine: prepared.engine, model: 'demo' },
    ...{ node_id: 'node-1', pid: spawned.pid, correlation_id: 'preload-1' },
  });
});

test('B-PRELOAD-003 B-PROC-005 B-PROC-006: output of both kinds is appended to engine-<pool>.log', async (t) => {
  const node = await poolNode(t);
  const { logFile } = filesOf(node);
  await mkdir(node.deps.paths.runtimeDir, { recursive: true });
  await writeFile(logFile, 'of an earlier engine\n');
  const engine = await node.run(
    'spawnEngine',
    await node.prepared(['--log-line', 'to stdout', '--error-line', 'to stderr']),
  );
  await ask(engine);
  assert.match(logFile, /\/engine-gpu-0\.log$/);
  assert.equal(await readFile(logFile, 'utf8'), 'of an earlier engine\nto stdout\nto stderr\n');
});

test('B-PRELOAD-006 B-PROC-021 B-PROC-022 B-LIFE-001: a missing runtime directory is made, and the PID file holds the number alone, of a process that lives', async (t) => {
  const node = await poolNode(t);
  assert.equal(existsSync(node.deps.paths.runtimeDir), false);
  const engine = await node.run('spawnEngine', await node.prepared());
  assert.match(filesOf(node).pidFile, /\/gpu-0\.pid$/);
  assert.equal(await readFile(filesOf(node).pidFile, 'utf8'), String(engine.pid));
  assert.ok(engine.pid > 0);
  assert.equal(await processStartTicks(engine.pid), engine.start_ticks);
});

test('the spawn record names the process, its launch and its token, and only its owner reads it', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  const engine = await node.run('spawnEngine', prepared);
  const record = await recordOf(node);
  assert.equal(record.pid, engine.pid);
  assert.equal(record.started_ticks, engine.start_ticks);
  assert.deepEqual(record.prepared, prepared);
  assert.equal((await ask(engine)).env['DROVER_SPAWN_TOKEN'], record.token);
  assert.equal((await stat(filesOf(node).spawnRecord)).mode & 0o777, 0o600);
});

test('B-PREP-004 B-SEC-002: an engine sees listed variables and a safe base, and works in a folder of its own', async (t) => {
  const worker = {
    PATH: process.env['PATH'],
    HOME: '/home/worker',
    DROVER_PAYLOAD_KEYS: 'k:secret',
    CUDA_VISIBLE_DEVICES: '7',
  };
  const node = await poolNode(t, { env: () => worker });
  const engine = await node.run('spawnEngine', await node.prepared([], { env: { LLAMA_ARG_X: 'y' } }));
  const { env, cwd } = await ask(engine);
  assert.deepEqual(Object.keys(env).sort(), ['DROVER_SPAWN_TOKEN', 'HOME', 'LLAMA_ARG_X', 'PATH']);
  assert.ok(cwd.startsWith(node.deps.paths.runtimeDir) && cwd !== node.deps.paths.runtimeDir, cwd);
});

test('B-DEVICE-012: the mask decides which GPUs an engine sees, whatever is inherited or listed', () => {
  const worker = { CUDA_VISIBLE_DEVICES: '7' };
  const env = { CUDA_VISIBLE_DEVICES: '6', CUDA_DEVICE_ORDER: 'FASTEST_FIRST' };
  const seen = engineEnvironment({ ...ON_GPUS, env, device_mask: 'GPU0,GPU1' }, worker, 't');
  assert.equal(seen['CUDA_VISIBLE_DEVICES'], '0,1');
  assert.equal(seen['CUDA_DEVICE_ORDER'], 'PCI_BUS_ID'); // Or 0 might be another GPU than the driver's 0.
});

test('B-HETERO-006: llama.cpp is told to stay on one GPU, unless a split was asked for or the launch says otherwise', () => {
  const modeOf = (changes: Partial<PreparedEngine>) =>
    engineEnvironment({ ...ON_GPUS, ...changes }, {}, 't')['LLAMA_ARG_SPLIT_MODE'];
  assert.equal(modeOf({}), 'none');
  assert.equal(modeOf({ tensor_split: 'auto' }), undefined);
  assert.equal(modeOf({ flags: ['--split-mode', 'row'] }), undefined);
  assert.equal(modeOf({ env: { LLAMA_ARG_SPLIT_MODE: 'row' } }), 'row');
  assert.equal(modeOf({ backend: 'cpu' }), undefined);
});

test('B-PRELOAD-073 B-PDUR-003: a second try finds the child of the first, and starts nothing', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  const first = await node.run('spawnEngine', prepared);
  assert.deepEqual(await node.run('spawnEngine', prepared, { attempt: 2 }), first);
  assert.deepEqual(await node.restarted().run('spawnEngine', prepared, { attempt: 3 }), first);
  assert.equal((await findByToken((await recordOf(node)).token)).length, 1);
});

test('B-PRELOAD-073: tries that overlap start one engine', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  const engines = await Promise.all(
    [1, 2, 3].map((attempt) => node.run('spawnEngine', prepared, { attempt })),
  );
  assert.equal(new Set(engines.map(({ pid }) => pid)).size, 1);
});

test('B-PRELOAD-072: a child whose worker died before it could record it is found by its token, and recorded', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  const first = await node.run('spawnEngine', prepared);
  const files = filesOf(node);
  await rm(files.spawnRecord);
  await rm(files.pidFile);
  assert.deepEqual(await node.restarted().run('spawnEngine', prepared, { attempt: 2 }), first);
  assert.equal((await recordOf(node)).pid, first.pid);
  assert.equal(await readFile(files.pidFile, 'utf8'), String(first.pid));
});

test('B-API-026: another launch of a pool that runs is a conflict, and the running engine stays', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  const engine = await node.run('spawnEngine', prepared);
  const other = { ...prepared, flags: [...prepared.flags, '--parallel', '4'] };
  await assert.rejects(node.run('spawnEngine', other, { runId: 'run-2' }), {
    type: 'POOL_CONFLICT',
    nonRetryable: true,
  });
  await assert.rejects(node.run('preflight', other, { runId: 'run-2' }), { type: 'POOL_CONFLICT' });
  assert.equal((await livingGroup(engine.pid)).length, 1);
});

test('B-API-026: the same launch of a pool that serves is answered with what runs', async (t) => {
  const node = await poolNode(t);
  const wanted = await node.prepared();
  const { prepared } = await node.run('preflight', wanted);
  const engine = await node.run('spawnEngine', prepared);
  assert.equal((await node.run('preflight', wanted)).serving, null); // It runs, but does not serve yet.
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  assert.deepEqual((await node.run('preflight', wanted)).serving, {
    pool_id: 'gpu-0',
    pid: engine.pid,
    handoff_path: filesOf(node).handoff,
  });
});

test('an engine that has ended is no reason not to start another', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared();
  const first = await node.run('spawnEngine', prepared);
  process.kill(first.pid, 'SIGKILL');
  await eventually(
    () => 'its end',
    async () => ((await processStartTicks(first.pid)) === undefined ? true : undefined),
  );
  assert.notEqual((await node.run('spawnEngine', prepared, { runId: 'run-2' })).pid, first.pid);
});

test('B-PDUR-008: what an ended engine left behind goes before another starts', async (t) => {
  const node = await poolNode(t, { stopGraceMs: 100 });
  const orphan = await node.run('spawnEngine', await node.prepared(['--orphan-child']));
  await eventually(
    () => 'the engine to leave its child',
    async () => ((await processStartTicks(orphan.pid)) === undefined ? true : undefined),
  );
  assert.equal((await livingGroup(orphan.pid)).length, 1);
  const engine = await node.run('spawnEngine', await node.prepared(), { runId: 'run-2' });
  assert.deepEqual(await livingGroup(orphan.pid), []);
  assert.equal((await recordOf(node)).pid, engine.pid);
});

test('B-WRK-017 B-PRELOAD-036 B-ERROR-010 B-ERROR-011: a spawn that the system refuses says why, is logged, and leaves no PID file', async (t) => {
  const node = await poolNode(t);
  const prepared = await node.prepared([], { binary_path: '/no/such/engine' });
  await assert.rejects(node.run('spawnEngine', prepared), (err) => {
    assert.ok(err instanceof ApplicationFailure);
    assert.equal(err.type, 'SpawnFailed');
    assert.equal(err.nonRetryable, true);
    assert.match(err.message, /\/no\/such\/engine: ENOENT: no such file or directory/);
    const [{ cause }] = err.details as [PoolFailureDetails];
    assert.deepEqual(cause, { cause_code: 'SPAWN_FAILED', reason: 'ENOENT: no such file or directory' });
    return true;
  });
  assert.equal(existsSync(filesOf(node).pidFile), false);
  const line = node.logged.find(({ event }) => event === 'engine_spawn_failed');
  assert.equal(line?.['pool_id'], 'gpu-0');
  assert.equal(line['binary_path'], '/no/such/engine');
});

test('an engine that cannot be recorded is ended at once', async (t) => {
  const node = await poolNode(t);
  await mkdir(filesOf(node).spawnRecord, { recursive: true }); // A folder where the record belongs.
  const prepared = await node.prepared();
  await assert.rejects(node.run('spawnEngine', prepared), { type: 'SpawnFailed', nonRetryable: false });
  const url = `http://127.0.0.1:${prepared.port}/fake`;
  await assert.rejects(fetch(url), TypeError);
  assert.equal(existsSync(filesOf(node).pidFile), false);
});

test('B-API-014 B-API-015 B-API-017: pools that start at once have their own PID, log and record', async (t) => {
  const node = await poolNode(t);
  const pools = await Promise.all(
    ['gpu-0', 'gpu-1', 'gpu-2'].map((pool_id) => node.prepared([], { pool_id })),
  );
  const engines = await Promise.all(pools.map((prepared) => node.run('spawnEngine', prepared)));
  assert.equal(new Set(engines.map(({ pid }) => pid)).size, 3);
  for (const [at, { pool_id }] of pools.entries()) {
    const files = filesOf(node, { pool_id, replica_id: 'r0' });
    assert.equal(await readFile(files.pidFile, 'utf8'), String(engines[at]?.pid));
    assert.ok(existsSync(files.logFile));
    assert.equal((await readSpawnRecord(files.spawnRecord))?.pool_id, pool_id);
  }
});
