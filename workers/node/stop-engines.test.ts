import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { replicaFiles } from '../../activities/replica-files.js';
import type { AuditEvent } from '../../security/audit/audit-chain.js';
import { freePort } from '../../testing/free-port.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import { livingGroup } from '../../testing/started-engine.js';
import { stopEngines } from './stop-engines.js';

const GRACE_MS = 3_000;
/** Far beyond any grace of these tests. */
const LIMIT_MS = 30_000;

/** A node with engines, each a pool of its own, and how it is told to stop them. */
async function nodeWith(t: TestContext, engines: readonly (readonly string[])[], stopGraceMs = GRACE_MS) {
  const audited: AuditEvent[] = [];
  const audit = { record: (event: AuditEvent) => Promise.resolve(void audited.push(event)) };
  const node = await poolNode(t, { audit, stopGraceMs });
  const spawned = await Promise.all(
    engines.map(async (flags, at) => {
      const prepared = await node.prepared([...flags, '--log-line', 'up'], {
        pool_id: `gpu-${at}`,
        port: await freePort(),
      });
      return { prepared, ...(await node.run('spawnEngine', prepared)) };
    }),
  );
  // An engine that is to ignore a signal must have got that far.
  for (const { prepared } of spawned) await untilUp(node, prepared);
  audited.length = 0;
  const stop = async (limitMs = LIMIT_MS) => {
    const beganMs = Date.now();
    await stopEngines(node.pools, node.deps, beganMs + limitMs);
    return Date.now() - beganMs;
  };
  return { node, spawned, audited, stop };
}

async function untilUp(node: PoolNode, prepared: { pool_id: string; replica_id: string }): Promise<void> {
  const { logFile } = replicaFiles(node.deps.paths, prepared);
  while (!(await readFile(logFile, 'utf8').catch(() => '')).includes('up'))
    await new Promise((resolve) => setTimeout(resolve, 10));
}

const told = (node: PoolNode, event: string) => node.logged.filter((line) => line['event'] === event);

/** Ends at the second SIGTERM, which comes half-way through the grace. */
const obeys = ['--sigterms', '2'];

test('B-LIFE-007, B-LIFE-009, B-LIFE-010, B-LIFE-015: five engines are told at once, end in time, and each is counted and forgotten', async (t) => {
  const { node, spawned, audited, stop } = await nodeWith(t, [obeys, obeys, obeys, obeys, obeys]);
  // Each takes half its grace: one after the other they would take five times that.
  assert.ok((await stop()) < 5 * (GRACE_MS / 2));
  for (const { pid } of spawned) assert.deepEqual(await livingGroup(pid), []);
  assert.deepEqual(
    (await readdir(node.deps.paths.runtimeDir)).filter((name) => /\.(pid|json)$/.test(name)),
    [],
  );
  assert.deepEqual(
    told(node, 'engine_stopped').map(({ stopped, total, forced }) => [stopped, total, forced]),
    [1, 2, 3, 4, 5].map((stopped) => [stopped, 5, false]),
  );
  assert.deepEqual(
    told(node, 'engine_stopped')
      .map(({ pid }) => pid)
      .sort(),
    spawned.map(({ pid }) => pid).sort(),
  );
  const last = node.logged.at(-1);
  assert.deepEqual([last?.['event'], last?.['total'], last?.['killed']], ['engines_stopped', 5, 0]);
  assert.deepEqual([told(node, 'engine_killed'), audited], [[], []]);
});

test('B-LIFE-003, B-LIFE-004, B-LIFE-013: three engines that ignore SIGTERM are killed by their PIDs, together, when the grace is over', async (t) => {
  const hung = ['--ignore-sigterm'];
  const { node, spawned, stop } = await nodeWith(t, [hung, hung, hung]);
  const tookMs = await stop();
  assert.ok(tookMs >= GRACE_MS && tookMs < 3 * GRACE_MS);
  for (const { pid, prepared } of spawned) {
    assert.deepEqual(await livingGroup(pid), []);
    assert.equal(existsSync(replicaFiles(node.deps.paths, prepared).pidFile), false);
  }
  assert.deepEqual(
    told(node, 'engine_killed')
      .map(({ pid }) => pid)
      .sort(),
    spawned.map(({ pid }) => pid).sort(),
  );
  assert.equal(told(node, 'engines_stopped')[0]?.['killed'], 3);
});

test('B-LIFE-014: whoever had to be killed stands in the audit log, with its PID, the signal and why; who went in time does not', async (t) => {
  const { spawned, audited, stop } = await nodeWith(t, [['--ignore-sigterm'], []]);
  await stop();
  assert.deepEqual(audited, [
    {
      event_type: 'worker_killed',
      actor: 'node:node-1',
      details: {
        ...{ worker_id: 'gpu-0/r0', pool_id: 'gpu-0', replica_id: 'r0', node_id: 'node-1' },
        ...{ pid: spawned[0]?.pid, reason: 'the node worker ends', signal: 'SIGKILL' },
      },
    },
  ]);
});

test('B-LIFE-014: a drain that had to kill is in the audit log as well', async (t) => {
  const { node, spawned, audited } = await nodeWith(t, [['--ignore-sigterm']]);
  const replica = { pool_id: 'gpu-0', replica_id: 'r0' };
  await node.run('stopEngine', { ...replica, reason: 'drain', if_missing: 'fail' });
  const [entry] = audited;
  assert.deepEqual(
    [entry?.event_type, entry?.details['pid'], entry?.details['reason'], entry?.details['signal']],
    ['worker_killed', spawned[0]?.pid, 'drain', 'SIGKILL'],
  );
});

test('B-LIFE-008: the end of a node worker takes no longer than it may, however long the grace of an engine is', async (t) => {
  const { node, spawned, stop } = await nodeWith(t, [['--ignore-sigterm'], []], 60_000);
  assert.ok((await stop(500)) < 60_000);
  for (const { pid } of spawned) assert.deepEqual(await livingGroup(pid), []);
  assert.ok(Number(told(node, 'engines_stopping')[0]?.['grace_ms']) <= 500);
  assert.equal(told(node, 'engines_stopped')[0]?.['killed'], 1);
});
