/** An engine is alive when its process is there and answers; what is missing of it decides what becomes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listProcesses } from '../../activities/process/process-table.js';
import { eventually } from '../../testing/changes.js';
import { isAlive } from '../../testing/processes.js';
import { POOL, watchedNode } from '../../testing/watched-node.js';
import { workerReports } from './report-workers.js';

test('B-WHL-005: the first and the second poll that a worker misses are counted, and it is unhealthy, and kept', async (t) => {
  const answers = [true, false, false, true];
  let now = 1_000;
  const { node, watch, engine } = await watchedNode(t, [], {
    answers: () => Promise.resolve(answers.shift() ?? true),
    now: () => now,
  });
  const seen = () => {
    const [worker] = workerReports('node-1', node.pools.all());
    return [worker?.state, worker?.failed_health_checks, worker?.last_health_ms, worker?.last_activity_ms];
  };
  assert.deepEqual(seen(), ['idle', 0, null, null]);
  await watch.ask();
  assert.deepEqual(seen(), ['idle', 0, 1_000, null], 'to be asked is no use of it');
  for (const missed of [1, 2]) {
    now += 1_000;
    await watch.ask();
    assert.deepEqual(seen(), ['unhealthy', missed, 1_000, null]);
    assert.deepEqual([node.pools.status(POOL)?.ready, isAlive(engine.pid)], [true, true]);
  }
  now = 9_000;
  await watch.ask();
  assert.deepEqual(seen(), ['idle', 0, 9_000, null]);
});

test('B-LIFE-011: a process that is gone is a crashed worker, out of service, and logged with its PID', async (t) => {
  const { node, watch, engine, gone, logged } = await watchedNode(t);
  process.kill(engine.pid, 'SIGKILL');
  await gone();
  await watch.lookAtAll();
  assert.equal(node.pools.running(POOL, 'r0'), undefined);
  assert.deepEqual(node.pools.replicas(POOL), []);
  const [worker] = workerReports('node-1', node.pools.all());
  assert.deepEqual([worker?.state, worker?.pid, worker?.slots_available], ['crashed', null, 0]);
  const { pid, pool_id, replica_id } = logged('engine_crashed') ?? {};
  assert.deepEqual([pid, pool_id, replica_id], [engine.pid, POOL, 'r0']);
});

test('B-WHL-007, B-LIFE-005: a process that is gone while its port answers is a zombie, and what answers is ended', async (t) => {
  const states: (string | undefined)[] = [];
  const stateNow = () => workerReports('node-1', scene.node.pools.all())[0]?.state;
  const orphans = async () => {
    const all = await listProcesses();
    return all.filter(({ groupId, pid }) => groupId === scene.engine.pid && pid !== scene.engine.pid);
  };
  const scene = await watchedNode(t, ['--fork-child'], {
    // Its child answers until it is ended.
    answers: () => Promise.resolve(states.push(stateNow()) === 1),
  });
  const { engine, watch, gone, logged, node } = scene;
  assert.equal((await orphans()).length, 1);
  process.kill(engine.pid, 'SIGKILL');
  await gone();
  await watch.lookAtAll();
  await eventually(
    () => `its child to be ended, not ${JSON.stringify(states)}`,
    async () => ((await orphans()).length === 0 && states.length === 2) || undefined,
  );
  assert.deepEqual(states, ['crashed', 'zombie']);
  await eventually(
    () => 'nothing to answer any more',
    () => stateNow() === 'crashed' || undefined,
  );
  assert.equal(logged('engine_zombie')?.['pid'], engine.pid);
  assert.equal(node.pools.crash(POOL)?.reason, 'signal(SIGKILL)');
});

test('B-WHL-007, B-LIFE-005: a process that is there and does not answer is ended, and its pool is to be started again', async (t) => {
  const { node, watch, engine } = await watchedNode(t, [], { answers: () => Promise.resolve(false) });
  for (let poll = 0; poll < 3; poll += 1) await watch.ask();
  assert.equal(isAlive(engine.pid), false);
  const [worker] = workerReports('node-1', node.pools.all());
  assert.equal(worker?.state, 'crashed');
  // What its supervisor waits for, and restarts by.
  const seen = await node.run('watchEngine', { pool_id: POOL, known_crash_id: null });
  assert.deepEqual([seen.crash?.kind, seen.crash?.prepared.pool_id], ['health_check_failure', POOL]);
  assert.equal(node.pools.awaitingRestart(POOL, 1, 'it did not answer'), true);
});
