import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { LayersLoaded } from '../../contracts/loading.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import { eventually } from '../../testing/changes.js';
import { freePort } from '../../testing/free-port.js';
import { isAlive } from '../../testing/processes.js';
import { poolNode, type PoolNode } from '../../testing/pool-node.js';
import type { WorkerKeeper } from '../deps.js';
import type { PoolFailureDetails } from '../failures.js';
import type { StartingEngine } from './await-engine-ready.js';

/** Starts the engine and waits until it answers anything at all, or `until` says enough. */
async function started(
  node: PoolNode,
  flags: readonly string[],
  changes: Partial<PreparedEngine> = {},
): Promise<StartingEngine> {
  const prepared = await node.prepared(flags, changes);
  return { prepared, engine: await node.run('spawnEngine', prepared) };
}

async function answering({ engine }: StartingEngine): Promise<void> {
  await eventually(
    () => 'the engine to listen',
    async () => (await fetch(`${engine.url}/fake`).catch(() => undefined))?.ok,
  );
}

/** One poll, as a failure. */
async function failureOf(result: Promise<unknown>): Promise<ApplicationFailure> {
  const err = await result.then(
    () => assert.fail('the engine was taken for ready'),
    (cause: unknown) => cause,
  );
  assert.ok(err instanceof ApplicationFailure, String(err));
  return err;
}

function detailsOf({ details }: ApplicationFailure): PoolFailureDetails {
  return details?.[0] as PoolFailureDetails;
}

async function otherServer(t: TestContext, port: number): Promise<void> {
  const server = createServer((_, response) => response.end('ok')).listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
}

test('B-PRELOAD-010 B-PRELOAD-012: 200 from the health path of its own port makes an engine ready', async (t) => {
  const node = await poolNode(t);
  const starting = await started(node, []);
  await answering(starting);
  await node.run('awaitEngineReady', starting);
  const { polls } = (await (await fetch(`${starting.engine.url}/fake`)).json()) as { polls: number[] };
  assert.equal(polls.length, 1); // One poll a try.
});

for (const [said, flags] of [
  ['HTTP/1.0', ['--http10']],
  ['HTTP/1.1', []],
] as const) {
  test(`B-PRELOAD-014: an answer of ${said} is accepted`, async (t) => {
    const node = await poolNode(t);
    const starting = await started(node, flags);
    await answering(starting);
    await node.run('awaitEngineReady', starting);
  });
}

for (const { what, flags, said } of [
  { what: '503 while it loads', flags: ['--never-ready'], said: /it answers 503/ },
  { what: '503 in HTTP/1.0', flags: ['--never-ready', '--http10'], said: /it answers 503/ },
  { what: 'a reset connection', flags: ['--reset-health', '9'], said: /socket hang up|ECONNRESET/ },
  { what: 'no answer in time', flags: ['--slow-health', '60000'], said: /does not answer within 2000 ms/ },
]) {
  test(`B-PRELOAD-011 B-PRELOAD-015: ${what} is asked again 500 ms later, and is no cause for concern`, async (t) => {
    const node = await poolNode(t);
    const starting = await started(node, flags);
    await answering(starting);
    const failure = await failureOf(node.run('awaitEngineReady', starting));
    assert.equal(failure.type, 'HealthTimeout');
    assert.equal(failure.nonRetryable, false);
    assert.equal(failure.nextRetryDelay, 500);
    assert.equal(failure.category, ApplicationFailureCategory.BENIGN);
    assert.match(failure.message, said);
  });
}

test('B-PRELOAD-015: a refused connection is asked again', async (t) => {
  const node = await poolNode(t);
  const starting = await started(node, []);
  await answering(starting);
  const elsewhere = { ...starting.engine, url: `http://127.0.0.1:${await freePort()}` };
  const failure = await failureOf(node.run('awaitEngineReady', { ...starting, engine: elsewhere }));
  assert.match(failure.message, /refuses the connection/);
  assert.equal(failure.nonRetryable, false);
});

test('B-PRELOAD-018 B-PRELOAD-032: the failure names pool, url, elapsed time and tries', async (t) => {
  const node = await poolNode(t, { now: () => 61_500 });
  const starting = await started(node, ['--never-ready']);
  await answering(starting);
  const failure = await failureOf(
    node.run('awaitEngineReady', starting, { attempt: 120, scheduledAtMs: 1_500 }),
  );
  const url = `http://127.0.0.1:${starting.prepared.port}/health`;
  assert.equal(
    failure.message,
    `health check failed: pool gpu-0 at ${url} is not healthy after 60000 ms and 120 attempts: it answers 503`,
  );
  const { pool_id, elapsed_ms, attempts } = detailsOf(failure);
  assert.deepEqual(
    { pool_id, elapsed_ms, attempts },
    { pool_id: 'gpu-0', elapsed_ms: 60_000, attempts: 120 },
  );
});

for (const { how, flags, said, exit_code, signal } of [
  { how: 'with a code', flags: ['--exit-at-start', '7'], said: /exit code 7/, exit_code: 7, signal: null },
  {
    how: 'by a signal',
    flags: ['--kill-at-start', 'SIGSEGV'],
    said: /signal SIGSEGV/,
    exit_code: null,
    signal: 'SIGSEGV',
  },
]) {
  test(`B-PRELOAD-016 B-PDUR-005: an engine that ends ${how} fails the preload at once, with the end of its log`, async (t) => {
    const node = await poolNode(t);
    const starting = await started(node, [...flags, '--error-line', 'error: out of luck']);
    const failure = await eventually(
      () => 'the engine to end',
      async () => {
        const seen = await failureOf(node.run('awaitEngineReady', starting));
        return seen.type === 'EngineExited' ? seen : undefined;
      },
    );
    assert.equal(failure.nonRetryable, true);
    assert.match(failure.message, said);
    assert.match(failure.message, /error: out of luck/);
    const details = detailsOf(failure);
    assert.deepEqual({ exit_code: details.exit_code, signal: details.signal }, { exit_code, signal });
    assert.ok(node.logged.some(({ event }) => event === 'engine_exited'));
  });
}

test('B-PRELOAD-016: an exit in the middle of a hung poll ends the poll', async (t) => {
  const node = await poolNode(t);
  const starting = await started(node, ['--slow-health', '60000']);
  await answering(starting);
  const polling = failureOf(node.run('awaitEngineReady', starting));
  process.kill(starting.engine.pid, 'SIGKILL');
  // A broken connection may be heard of before the exit that broke it; a later poll knows.
  const first = await polling;
  const failure = await eventually(
    () => `its exit to be known, not ${first.message}`,
    async () => {
      if (first.type === 'EngineExited') return first;
      const next = await failureOf(node.run('awaitEngineReady', starting));
      return next.type === 'EngineExited' ? next : undefined;
    },
  );
  assert.match(failure.message, /ended by signal SIGKILL/);
});

test('an engine that another worker started ended with a code that nobody knows', async (t) => {
  const node = await poolNode(t);
  const starting = await started(node, []);
  process.kill(starting.engine.pid, 'SIGKILL');
  const failure = await eventually(
    () => 'the engine to end',
    async () => {
      const seen = await failureOf(node.restarted().run('awaitEngineReady', starting));
      return seen.type === 'EngineExited' ? seen : undefined;
    },
  );
  assert.match(failure.message, /unknown exit code/);
  assert.equal(detailsOf(failure).exit_code, null);
});

test('B-PRELOAD-017: a 200 from somebody else on that port is not taken for ours', async (t) => {
  const node = await poolNode(t);
  const starting = await started(node, ['--port', String(await freePort())]); // The last --port counts for the fake.
  await otherServer(t, starting.prepared.port);
  const failure = await failureOf(node.run('awaitEngineReady', starting));
  assert.equal(failure.type, 'HealthTimeout');
  assert.match(failure.message, /another process answers on its port/);
});

test('another health path is asked where the launch says so', async (t) => {
  const node = await poolNode(t);
  const starting = await started(node, [], { health_path: '/slots' });
  await answering(starting);
  await node.run('awaitEngineReady', starting);
});

/** What the node has heard of a worker that was spawned. */
const heardOf = (silentMs: number | undefined, loading?: LayersLoaded): WorkerKeeper => ({
  enrol: () => undefined,
  silentMs: () => silentMs,
  loading: () => loading,
  forget: () => undefined,
});

test('B-WRK-014: a worker that has neither called back nor answered for 30 s is given up for good', async (t) => {
  for (const [silentMs, isFinal] of [
    [29_999, false],
    [30_000, true],
    [undefined, false],
  ] as const) {
    const node = await poolNode(t, { workers: heardOf(silentMs) });
    const starting = await started(node, []);
    const elsewhere = { ...starting.engine, url: `http://127.0.0.1:${await freePort()}` };
    const failure = await failureOf(node.run('awaitEngineReady', { ...starting, engine: elsewhere }));
    assert.deepEqual([silentMs, failure.type, failure.nonRetryable], [silentMs, 'HealthTimeout', isFinal]);
    const { cause_code } = detailsOf(failure).cause ?? {};
    assert.equal(cause_code, 'LOADING_TIMEOUT');
    const { pid } = starting.engine;
    process.kill(pid, 'SIGKILL');
    // The next one's spawn would find it by its token.
    await eventually(
      () => 'the engine to be gone',
      () => !isAlive(pid) || undefined,
    );
  }
});

test('B-LIFE-006, B-WRK-014: a worker that was not heard of for 30 s is killed, out of the list, and in the log', async (t) => {
  const node = await poolNode(t, { workers: heardOf(30_000), stopGraceMs: 100 });
  const starting = await started(node, ['--ignore-sigterm']);
  await answering(starting);
  await node.run('markPoolStarting', starting.prepared);
  const elsewhere = { ...starting.engine, url: `http://127.0.0.1:${await freePort()}` };
  const failure = await failureOf(node.run('awaitEngineReady', { ...starting, engine: elsewhere }));
  assert.equal(failure.nonRetryable, true);
  // As the preload undoes what it did when a step has failed for good.
  const { pool_id, replica_id } = starting.prepared;
  const order = { pool_id, replica_id, reason: 'preload failed', if_missing: 'stopped' } as const;
  assert.equal((await node.run('stopEngine', order)).outcome, 'forced');
  const preload = { engine: 'llamacpp', reason: 'HealthTimeout' };
  await node.run('markPoolFailed', { pool_id, last_error: failure.message, preload });
  assert.equal(isAlive(starting.engine.pid), false);
  assert.deepEqual([node.pools.replicas(pool_id), node.pools.status(pool_id)?.ready], [[], false]);
  const killed = node.logged.find(({ event }) => event === 'engine_killed');
  assert.equal(killed?.['pid'], starting.engine.pid);
  const told = node.logged.find(({ last_error }) => String(last_error).includes('within 30000 ms'));
  assert.equal(told?.['pool_id'], pool_id);
});

test('an engine that answers that it loads is not silent, called back or not', async (t) => {
  const node = await poolNode(t, { workers: heardOf(60_000) });
  const starting = await started(node, ['--never-ready']);
  await answering(starting);
  const failure = await failureOf(node.run('awaitEngineReady', starting));
  assert.deepEqual([failure.type, failure.nonRetryable], ['HealthTimeout', false]);
});

for (const { how, flags, kills, reason } of [
  {
    how: 'its GPU',
    flags: ['--error-line', 'CUDA error: out of memory', '--exit-at-start', '1'],
    kills: [0, 0],
    reason: 'out_of_memory(vram)',
  },
  { how: 'the host', flags: ['--kill-at-start', 'SIGKILL'], kills: [3, 4], reason: 'out_of_memory(host)' },
  { how: 'nobody', flags: ['--kill-at-start', 'SIGKILL'], kills: [3, 3], reason: undefined },
] as const) {
  test(`B-WRK-015: the memory of ${how} that ran out while a model loaded is what the preload failed for`, async (t) => {
    const [before, after] = kills;
    let killed: number = before;
    const { machine } = (await poolNode(t)).deps;
    const node = await poolNode(t, { machine: { ...machine, oomKills: () => Promise.resolve(killed) } });
    const starting = await started(node, flags);
    killed = after;
    const failure = await eventually(
      () => 'the engine to end',
      async () => {
        const seen = await failureOf(node.run('awaitEngineReady', starting));
        return seen.type === 'EngineExited' ? seen : undefined;
      },
    );
    const { cause_code, reason: told } = detailsOf(failure).cause ?? {};
    const code = reason === undefined ? 'INIT_CRASH' : 'OOM_DETECTED';
    assert.deepEqual([cause_code, told], [code, reason]);
    assert.equal(failure.message.includes('out_of_memory'), reason !== undefined);
  });
}

test('B-MODEL-028: a disk that is saturated while a model loads is told once, and the load goes on', async (t) => {
  let pressure: number | undefined = 79.9;
  const { machine } = (await poolNode(t)).deps;
  const ioPressurePercent = () => Promise.resolve(pressure);
  const node = await poolNode(t, { machine: { ...machine, ioPressurePercent } });
  const starting = await started(node, ['--never-ready']);
  await answering(starting);
  const told = () => node.logged.filter(({ event }) => event === 'disk_saturated');
  const poll = async () => {
    const failure = await failureOf(node.run('awaitEngineReady', starting));
    assert.deepEqual([failure.type, failure.nonRetryable], ['HealthTimeout', false]);
  };
  await poll();
  pressure = undefined;
  await poll();
  assert.deepEqual(told(), []);
  pressure = 80;
  await poll();
  await poll();
  const [line, ...others] = told();
  assert.deepEqual([line?.['level'], line?.['pool_id'], line?.['io_pressure_percent']], [40, 'gpu-0', 80]);
  assert.deepEqual(others, []);
});

test('B-LOAD-010: a model that is stuck fails the preload with LOADING_TIMEOUT, its last layer and the time', async (t) => {
  const loading = { layers_loaded: 12, layers_total: 28, vram_mb: 900 };
  const node = await poolNode(t, { now: () => 121_500, workers: heardOf(undefined, loading) });
  const starting = await started(node, ['--never-ready']);
  await answering(starting);
  const failure = await failureOf(
    node.run('awaitEngineReady', starting, { attempt: 240, scheduledAtMs: 1_500 }),
  );
  assert.deepEqual(detailsOf(failure).cause, {
    cause_code: 'LOADING_TIMEOUT',
    elapsed_ms: 120_000,
    ...loading,
  });
});
