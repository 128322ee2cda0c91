import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import type { PreparedEngine } from '../../contracts/pool.js';
import type { CrashReport } from '../../contracts/supervision.js';
import type { PoolState } from '../../domain/pool.js';
import { nodesOfTests } from '../../testing/test-node.js';
import { recallPools, rememberPools } from './known-pools.js';
import type { PoolRegistry } from './pool-registry.js';

const aNode = nodesOfTests();
const log = pino({ level: 'silent' });

async function folder(t: TestContext) {
  const runtimeDir = await mkdtemp(join(tmpdir(), 'drover-pools-'));
  t.after(() => rmSync(runtimeDir, { recursive: true, force: true }));
  return { runtimeDir, handoffDir: runtimeDir };
}

/** A registry that remembers, as a node worker's does. */
function remembering(paths: Awaited<ReturnType<typeof folder>>, pools: PoolRegistry): void {
  recallPools(paths, pools, log);
  pools.onMove(() => rememberPools(paths, pools.all(), log));
}
const told = (pools: PoolRegistry) =>
  pools
    .snapshot()
    .map(({ pool_id, state, model_ref, last_error }) => [pool_id, state, model_ref, last_error]);

test('B-REG-134: a worker that starts again knows its pools, also those whose engines are gone', async (t) => {
  const paths = await folder(t);
  const first = await aNode({ slots: 0 });
  remembering(paths, first.pools);
  for (const pool of ['serves', 'failed', 'drained', 'purged']) first.open(1, pool);
  first.pools.failed('failed', 'no GPU');
  first.pools.offline('drained');
  first.pools.offline('purged');
  first.pools.deregister('purged');

  const next = await aNode({ slots: 0 });
  remembering(paths, next.pools);
  assert.deepEqual(told(next.pools), [
    ['drained', 'offline', 'demo', null],
    ['failed', 'failed', 'demo', 'no GPU'],
    ['serves', 'failed', 'demo', 'its engine is not back since the node worker started again'],
  ]);
  next.open(1, 'serves');
  assert.deepEqual(told(next.pools).at(-1), ['serves', 'ready', 'demo', null]);
});

test('a crash of which its supervisor has not heard is heard of from the next worker', async (t) => {
  const paths = await folder(t);
  const first = await aNode({ slots: 0 });
  remembering(paths, first.pools);
  first.open(1, 'a');
  const { prepared } = first.pools.get('a') ?? {};
  const report = { crash_id: 'c-1', pool_id: 'a', last_error: 'it crashed', prepared } as CrashReport;
  first.pools.crashed(report);
  const next = await aNode({ slots: 0 });
  remembering(paths, next.pools);
  assert.equal(next.pools.crash('a')?.crash_id, 'c-1');
  assert.deepEqual(told(next.pools), [['a', 'failed', 'demo', 'it crashed']]);
});

test('the list is only its owner’s to read, and one that cannot be read is set aside', async (t) => {
  const paths = await folder(t);
  const first = await aNode({ slots: 0 });
  remembering(paths, first.pools);
  first.open(1, 'a');
  const path = join(paths.runtimeDir, 'pools.json');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 40));
  const next = await aNode({ slots: 0 });
  remembering(paths, next.pools);
  assert.deepEqual([told(next.pools), readdirSync(paths.runtimeDir)], [[], ['pools.json.unreadable']]);
});

test('a pool that sleeps, or was being woken, sleeps on under the next worker, and its last load is remembered', async (t) => {
  const paths = await folder(t);
  const first = await aNode({ slots: 0 });
  remembering(paths, first.pools);
  for (const pool of ['asleep', 'waking']) {
    first.open(1, pool);
    const prepared = { ...first.pools.launch(pool), on_demand: true } as PreparedEngine;
    first.pools.ensure(pool).loadMs = 1_234;
    first.pools.asleep(prepared, null);
    if (pool === 'waking') first.pools.starting(prepared);
  }
  const next = await aNode({ slots: 0 });
  remembering(paths, next.pools);
  assert.deepEqual(told(next.pools), [
    ['asleep', 'asleep', 'demo', null],
    ['waking', 'asleep', 'demo', null],
  ]);
  assert.equal(next.pools.ensure('waking').loadMs, 1_234);
});

test('B-WST-015, B-WST-017: of state updates at once each begins where the one before ended, the last one is kept, and no heartbeat is lost', async (t) => {
  const paths = await folder(t);
  const { pools, open } = await aNode({ slots: 0 });
  const steps: [PoolState, PoolState][] = [];
  recallPools(paths, pools, log);
  pools.onMove((pool, from) => {
    steps.push([from, pool.state]);
    rememberPools(paths, pools.all(), log);
  });
  open(1, 'p');
  const heartbeatBefore = pools.status('p')?.last_heartbeat_ms ?? 0;
  const updates = [
    () => pools.reloading('p'),
    () => pools.draining('p'),
    () => void pools.serving('p'),
    () => pools.failed('p', 'the last word'),
  ];
  while (Date.now() === heartbeatBefore) await new Promise(setImmediate);
  await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      await Promise.resolve();
      pools.seen('p');
      updates[n % updates.length]?.();
    }),
  );
  assert.ok(steps.length > updates.length, `${steps.length} moves`);
  for (const [at, [from]] of steps.entries())
    if (at > 0) assert.equal(from, steps[at - 1]?.[1], `move ${at}`);
  const { state, last_error, last_heartbeat_ms } = pools.status('p') ?? assert.fail();
  assert.deepEqual([state, last_error], ['failed', 'the last word']);
  assert.ok((last_heartbeat_ms ?? 0) > heartbeatBefore);
  const next = await aNode({ slots: 0 });
  recallPools(paths, next.pools, log);
  assert.deepEqual(told(next.pools), told(pools));
});
