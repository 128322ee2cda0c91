import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { startOthersEngine, watchedFolder } from '../../testing/handoff-folder.js';
import { killGroup } from '../../testing/processes.js';
import { nodeMetrics } from './prometheus.js';

const FILE = 'gpu-0-r0.json';

test('B-BG-003 B-BG-006 B-BG-007 B-BG-008 B-BG-009: every *.json is taken up: adapter, binding, readiness, once', async (t) => {
  const { node, scan, announce, adapters, status, bound } = await watchedFolder(t);
  const [one, two] = [await startOthersEngine(t), await startOthersEngine(t)];
  await announce(FILE, { url: one.url, pool_id: 'gpu-0', engine: 'llamacpp' });
  await announce('any-name.json', { url: two.url, pool_id: 'gpu-1', replica_id: 'r7' });
  await announce('gpu-2-r0.json.tmp', { url: two.url, pool_id: 'gpu-2' });
  await announce('.hidden.json', { url: two.url, pool_id: 'gpu-3' });
  await scan();
  assert.deepEqual([status()?.live, status()?.ready, status('gpu-1')?.ready], [true, true, true]);
  assert.equal(node.pools.running('gpu-0', 'r0')?.url, one.url);
  assert.equal(node.pools.running('gpu-1', 'r7')?.url, two.url);
  assert.deepEqual([status('gpu-2'), status('gpu-3')], [undefined, undefined]);
  assert.ok(adapters.some(([kind, url]) => kind === 'llamacpp' && url === one.url));
  await scan();
  assert.equal(bound().length, 2);
});

test('B-BG-010 B-BG-011: a binding is logged with pool, replica and url, and told as "autobind"', async (t) => {
  const { scan, announce, bound } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  await announce(FILE, { url, pool_id: 'gpu-0', engine_version: 'b9' });
  await scan();
  const [line] = bound();
  const { level, pool_id, replica_id, url: said, action, actor, target, human } = line ?? {};
  assert.deepEqual([level, pool_id, replica_id, said], [30, 'gpu-0', 'r0', url]);
  assert.deepEqual([actor, action, target], ['node', 'autobind', 'gpu-0']);
  assert.match(String(human), /^binds the llamacpp engine/);
});

test('B-REG-100 B-REG-105 B-REG-106 OC-POOL-3101: a pool that had failed is live and ready, without its error, seen just now', async (t) => {
  const { node, scan, announce, status } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  node.pools.failed('gpu-0', 'an earlier engine died');
  await announce(FILE, { url, pool_id: 'gpu-0', engine_version: 'b9' });
  const before = Date.now();
  await scan();
  const { live, ready, last_error, last_heartbeat_ms } = status() ?? {};
  assert.deepEqual([live, ready, last_error, status()?.engine_version], [true, true, null, 'b9']);
  assert.ok(Number(last_heartbeat_ms) >= before && Number(last_heartbeat_ms) <= Date.now());
});

test('B-BG-005 OC-POOL-3102: the same content is not bound again, whatever its layout; another file for the replica is refused', async (t) => {
  const { scan, announce, bound, processed, skipped } = await watchedFolder(t);
  const [one, two] = [await startOthersEngine(t), await startOthersEngine(t)];
  await announce(FILE, { url: one.url, pool_id: 'gpu-0' });
  await scan();
  await announce(FILE, `{ "pool_id": "gpu-0",\n "url": "${one.url}" }`);
  await announce('other.json', { url: two.url, pool_id: 'gpu-0' });
  await scan();
  assert.equal(bound().length, 1);
  assert.deepEqual(processed, [
    ['gpu-0', 'bound'],
    ['gpu-0', 'refused'],
  ]);
  assert.match(String(skipped()[0]?.['problem']), /gpu-0-r0\.json names the same replica/);
});

test('B-DP-191: an engine of another version, or that samples otherwise, is none of the set, and gets no work', async (t) => {
  const { node, scan, announce, processed, skipped } = await watchedFolder(t);
  const [one, two] = [await startOthersEngine(t), await startOthersEngine(t)];
  const told = { pool_id: 'gpu-0', engine_version: 'b1', sampler_profile_version: 's1' };
  await announce(FILE, { ...told, url: one.url });
  await scan();
  const beside = (changes: object) =>
    announce('beside.json', { ...told, replica_id: 'r1', url: two.url, ...changes });
  await beside({ engine_version: 'b2' });
  await scan();
  await beside({ sampler_profile_version: 's2' });
  await scan();
  assert.deepEqual(node.pools.replicas('gpu-0'), ['r0']);
  assert.deepEqual(processed.slice(1), [
    ['gpu-0', 'refused'],
    ['gpu-0', 'refused'],
  ]);
  assert.match(String(skipped()[0]?.['problem']), /engine version b1, and this one has b2/);
  await beside({});
  await scan();
  assert.deepEqual(node.pools.replicas('gpu-0'), ['r0', 'r1']);
});

test('B-BG-016 B-REG-108: another url or another version is bound anew, and its values replace the old ones', async (t) => {
  const { node, scan, announce, status, bound } = await watchedFolder(t);
  const [one, two] = [await startOthersEngine(t), await startOthersEngine(t)];
  const told = { pool_id: 'gpu-0', engine_version: 'b1', slots_total: 2, device_mask: '0' };
  await announce(FILE, { ...told, url: one.url });
  await scan();
  await announce(FILE, { ...told, url: one.url, engine_version: 'b2', slots_total: 5 });
  await scan();
  assert.deepEqual([status()?.engine_version, status()?.slots_total, status()?.ready], ['b2', 5, true]);
  assert.equal(node.pools.running('gpu-0', 'r0')?.prepared.engine_version, 'b2');
  await announce(FILE, { pool_id: 'gpu-0', url: two.url });
  await scan();
  assert.equal(node.pools.running('gpu-0', 'r0')?.url, two.url);
  assert.deepEqual([status()?.engine_version, status()?.device_mask, status()?.ready], [null, null, true]);
  assert.deepEqual(
    bound().map(({ outcome }) => outcome),
    ['bound', 'rebound', 'rebound'],
  );
});

test('B-BG-012: a file that is added later is picked up by the watch itself', async (t) => {
  const { watch, announce, status } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  watch.start(20);
  await announce(FILE, { url, pool_id: 'gpu-0' });
  await eventually(
    () => 'the binding',
    () => status()?.ready,
  );
});

test('B-BG-013: a file that is half written is warned of once, tried again, and holds nobody up', async (t) => {
  const { scan, announce, status, skipped } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  await announce(FILE, '{"url": "http://127.0.0.1');
  await announce('other.json', { url, pool_id: 'gpu-1' });
  await scan();
  await scan();
  assert.deepEqual([skipped().length, skipped()[0]?.['level'], skipped()[0]?.['file']], [1, 40, FILE]);
  assert.deepEqual([status(), status('gpu-1')?.ready], [undefined, true]);
  await announce(FILE, { url, pool_id: 'gpu-0' });
  await scan();
  assert.equal(status()?.ready, true);
});

test('B-BG-008: an engine that is not healthy, or whose health lies, is not bound until it serves', async (t) => {
  const { scan, announce, status, processed, skipped } = await watchedFolder(t);
  const lying = await startOthersEngine(t, ['--lie-healthy']);
  await announce(FILE, { url: 'http://127.0.0.1:1', pool_id: 'gpu-0' });
  await announce('lying.json', { url: lying.url, pool_id: 'gpu-1' });
  await scan();
  await scan();
  assert.deepEqual([status(), status('gpu-1')], [undefined, undefined]);
  assert.deepEqual(processed.toSorted(), [
    ['gpu-0', 'unhealthy'],
    ['gpu-1', 'unhealthy'],
  ]);
  assert.match(JSON.stringify(skipped()), /does not answer its health.*generates no token/);
  const { url } = await startOthersEngine(t);
  await announce(FILE, { url, pool_id: 'gpu-0' });
  await scan();
  assert.equal(status()?.ready, true);
});

test('B-BG-017: without its file a binding stands while the engine answers, and goes with it', async (t) => {
  const { scan, announce, remove, status } = await watchedFolder(t);
  const engine = await startOthersEngine(t);
  await announce(FILE, { url: engine.url, pool_id: 'gpu-0' });
  await scan();
  await remove(FILE);
  await scan();
  assert.equal(status()?.ready, true);
  killGroup(engine.pid);
  await engine.exited;
  await scan();
  assert.deepEqual([status()?.live, status()?.ready], [false, false]);
  assert.match(
    status()?.last_error ?? '',
    /handoff gpu-0-r0\.json is gone and the engine at .* does not answer/,
  );
});

test('B-BG-017: with its file an engine may miss two polls, not three, and is bound again when it is back', async (t) => {
  const { scan, announce, status } = await watchedFolder(t);
  const engine = await startOthersEngine(t);
  await announce(FILE, { url: engine.url, pool_id: 'gpu-0' });
  await scan();
  killGroup(engine.pid);
  await engine.exited;
  await scan();
  await scan();
  assert.equal(status()?.ready, true);
  await scan();
  assert.deepEqual([status()?.ready, status()?.state], [false, 'failed']);
  await startOthersEngine(t, [], Number(new URL(engine.url).port));
  await scan();
  assert.deepEqual([status()?.ready, status()?.last_error], [true, null]);
});

test('B-BG-017: of two replicas one may go, and the pool stays ready', async (t) => {
  const { node, scan, announce, remove, status } = await watchedFolder(t);
  const [one, two] = [await startOthersEngine(t), await startOthersEngine(t)];
  await announce(FILE, { url: one.url, pool_id: 'gpu-0', slots_total: 1 });
  await announce('gpu-0-r1.json', { url: two.url, pool_id: 'gpu-0', replica_id: 'r1', slots_total: 1 });
  await scan();
  await remove(FILE);
  killGroup(one.pid);
  await one.exited;
  await scan();
  assert.deepEqual([status()?.ready, node.pools.running('gpu-0', 'r0')], [true, undefined]);
  assert.equal(node.pools.get('gpu-0')?.scheduler.slotsFree, 1);
});

test('B-BG-018: a folder that is missing is waited for in silence, and one that cannot be read is warned of once', async (t) => {
  const { node, scan, announce, status, skipped, folder, remove } = await watchedFolder(t);
  await scan();
  await scan();
  assert.deepEqual(node.logged, []);
  await mkdir(dirname(folder), { recursive: true });
  await writeFile(folder, 'no folder');
  await scan();
  await scan();
  assert.deepEqual(
    skipped().map(({ problem }) => problem),
    ['the folder cannot be read: ENOTDIR'],
  );
  await remove('.');
  const { url } = await startOthersEngine(t);
  await announce(FILE, { url, pool_id: 'gpu-0' });
  await scan();
  assert.equal(status()?.ready, true);
});

test('B-BG-019: a file is counted by pool and outcome, timed, and kept unless it is to be removed', async (t) => {
  const metrics = nodeMetrics();
  const { url } = await startOthersEngine(t);
  const kept = await watchedFolder(t, { processed: metrics.handoff });
  await kept.announce(FILE, { url, pool_id: 'gpu-0' });
  await kept.announce('bad.json', 'no JSON');
  await kept.scan();
  await kept.scan();
  const text = await metrics.text();
  assert.match(text, /^pool_handoff_files_processed_total\{pool_id="gpu-0",outcome="bound"\} 1$/m);
  assert.match(text, /^pool_handoff_files_processed_total\{pool_id="",outcome="invalid"\} 1$/m);
  assert.match(text, /^pool_handoff_processing_duration_ms_count\{pool_id="gpu-0"\} 1$/m);
  assert.equal(existsSync(join(kept.folder, FILE)), true);
  const removed = await watchedFolder(t, { autoDelete: true });
  await removed.announce(FILE, { url, pool_id: 'gpu-0' });
  await removed.scan();
  await removed.scan();
  assert.deepEqual([removed.status()?.ready, existsSync(join(removed.folder, FILE))], [true, false]);
});

test('a handoff of our own preload is left to it, before it is ready and when its engine has died', async (t) => {
  const { node, scan, status, bound } = await watchedFolder(t);
  const { prepared } = await node.run('preflight', await node.prepared());
  await node.run('markPoolStarting', prepared);
  const engine = await node.run('spawnEngine', prepared);
  await node.run('writeHandoff', { prepared, engine, correlation_id: 'c' });
  await scan();
  assert.equal(status()?.state, 'starting');
  await node.run('markPoolReady', { prepared, engine, duration_ms: 1 });
  await scan();
  assert.equal(node.pools.running('gpu-0', 'r0')?.pid, engine.pid);
  node.pools.failed('gpu-0', 'it died');
  await scan();
  assert.deepEqual([status()?.ready, bound().length], [false, 0]);
});

test('what an operator has taken away stays away until its handoff changes', async (t) => {
  const { node, scan, announce, status } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  await announce(FILE, { url, pool_id: 'gpu-0' });
  await scan();
  node.pools.offline('gpu-0');
  await scan();
  assert.equal(status()?.state, 'offline');
  await announce(FILE, { url, pool_id: 'gpu-0', engine_version: 'b2' });
  await scan();
  assert.equal(status()?.ready, true);
});
