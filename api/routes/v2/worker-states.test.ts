import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { WorkerReport } from '../../../contracts/worker-report.js';
import { WORKER_STATES, type WorkerState } from '../../../domain/worker.js';
import { MemoryNodes } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const nodes = new MemoryNodes(['node-1', 'node-2']);
let api: TestApi;
beforeEach(async () => {
  nodes.workersOf.clear();
  nodes.healthOf.clear();
  nodes.away.clear();
  api = await startTestApi({ nodes });
});
afterEach(() => api.close());

function worker(pool_id: string, state: WorkerState, over: Partial<WorkerReport> = {}): WorkerReport {
  const { node_id = 'node-1' } = over;
  return {
    worker_id: `${node_id}:${pool_id}:r0`,
    ...{ node_id, pool_id, replica_id: 'r0', url: 'http://127.0.0.1:1', engine: 'llamacpp' },
    ...{ model_ref: 'file:/m/tea.gguf', model_name: 'tea', backend: 'cpu', device: null, state },
    ...{ slots_total: 4, slots_available: state === 'idle' ? 4 : 0, pid: 7 },
    ...{ last_activity_ms: null, last_health_ms: null, failed_health_checks: 0, last_error: null },
    ...over,
  };
}

async function asked(path: string) {
  const answer = await api.ask('GET', `/v2/workers/${path}`);
  const { code, details, ...body } = answer.json<Record<string, unknown>>();
  return { status: answer.statusCode, code, details, body };
}

async function refusedWith(path: string) {
  const { status, code, details } = await asked(path);
  return [status, code, details];
}

test('B-RERR-006, B-WST-001, B-WST-004, B-WST-008: with no worker at all each question has its own code', async () => {
  assert.deepEqual((await asked('list')).body, { workers: [] });
  assert.deepEqual(await refusedWith('state?expected=idle'), [
    503,
    'NO_WORKERS_FOR_STATE_CHECK',
    { expected: 'idle' },
  ]);
  assert.deepEqual(await refusedWith('transition?from=idle&through=busy&to=idle'), [
    503,
    'NO_WORKERS_FOR_TRANSITION',
    { from: 'idle', through: ['busy'], to: 'idle' },
  ]);
  assert.deepEqual(await refusedWith('idle?model_ref=tea'), [
    503,
    'NO_WORKERS_IN_REGISTRY',
    { model_ref: 'tea' },
  ]);
  assert.deepEqual(await refusedWith('ready'), [503, 'NO_WORKERS_REGISTERED', undefined]);
});

test('B-WST-019: an API that has just begun knows the engines as they are: nodes tell it, and nobody has to remember', async () => {
  nodes.workersOf.set('node-1', [worker('a', 'idle'), worker('b', 'busy')]);
  nodes.workersOf.set('node-2', [worker('c', 'loading', { node_id: 'node-2' })]);
  const { body: before } = await asked('list');
  assert.equal((before['workers'] as WorkerReport[]).length, 3);
  const next = await startTestApi({ nodes });
  const after = await next.ask('GET', '/v2/workers/list');
  assert.deepEqual(after.json(), before);
  await next.close();
});

test('B-WRK-010, B-WRK-011: none is ready while all of them load', async () => {
  nodes.workersOf.set('node-1', [worker('a', 'loading'), worker('b', 'crashed')]);
  assert.deepEqual(await refusedWith('ready'), [
    503,
    'NO_READY_WORKERS',
    { count: 2, states: { loading: 1, crashed: 1 } },
  ]);
  nodes.workersOf.set('node-2', [worker('c', 'busy', { node_id: 'node-2' })]);
  const { body } = await asked('ready');
  assert.deepEqual(
    (body['workers'] as WorkerReport[]).map(({ worker_id }) => worker_id),
    ['node-2:c:r0'],
  );
});

test('B-WST-009, B-WST-010: the idle one is of the asked model and backend and has a free slot, the freest of several', async () => {
  nodes.workersOf.set('node-1', [
    worker('busy', 'busy'),
    worker('other', 'idle', { model_ref: 'file:/m/ink.gguf', model_name: 'ink' }),
    worker('full', 'idle', { slots_available: 0 }),
  ]);
  assert.deepEqual(await refusedWith('idle?model_ref=tea'), [
    503,
    'NO_IDLE_WORKERS',
    { count: 2, states: { busy: 1, idle: 1 } },
  ]);
  nodes.workersOf.set('node-2', [
    worker('one', 'idle', { node_id: 'node-2', slots_available: 1 }),
    worker('two', 'idle', { node_id: 'node-2', slots_available: 2, backend: 'cuda', device: 'GPU0' }),
  ]);
  assert.equal((await asked('idle?model_ref=tea')).body['pool_id'], 'two');
  assert.equal((await asked('idle?model_ref=file:/m/tea.gguf&backend=cpu')).body['pool_id'], 'one');
  assert.equal((await asked('idle?device=GPU0')).body['pool_id'], 'two');
  assert.equal((await asked('idle?model_ref=tea&node=node-1')).status, 503);
});

test('B-WST-002, B-WST-003: a state check tells an unknown name from another state, and names what it found', async () => {
  nodes.workersOf.set('node-1', [worker('a', 'busy')]);
  assert.deepEqual(await refusedWith('state?expected=asleep'), [
    400,
    'UNKNOWN_WORKER_STATE',
    { valid_states: [...WORKER_STATES] },
  ]);
  assert.deepEqual(await refusedWith('state?expected=ready'), [
    409,
    'WORKER_STATE_MISMATCH',
    { expected: 'idle', actual: 'busy', count: 1, states: { busy: 1 } },
  ]);
  assert.deepEqual((await asked('state?expected=busy&worker_id=node-1:a:r0')).body['state'], 'busy');
  assert.deepEqual((await refusedWith('state?expected=busy&worker_id=gone')).slice(0, 2), [
    404,
    'WORKER_NOT_FOUND',
  ]);
});

test('B-WST-005, B-WST-006: a walk that names an unknown state is 400, one that the table has not 409', async () => {
  nodes.workersOf.set('node-1', [worker('a', 'idle')]);
  const walk = { from: 'idle', through: ['busy'], to: 'idle' };
  assert.deepEqual((await asked('transition?from=idle&through=busy&to=idle')).body, {
    states: ['idle', 'busy', 'idle'],
  });
  assert.deepEqual(await refusedWith('transition?from=idle&through=asleep&to=idle'), [
    400,
    'INVALID_STATE_TRANSITION',
    { ...walk, through: ['asleep'], allowed: [...WORKER_STATES] },
  ]);
  assert.deepEqual(await refusedWith('transition?from=busy&to=loading'), [
    409,
    'INVALID_STATE_TRANSITION',
    { from: 'busy', to: 'loading', allowed: ['idle', 'draining', 'unhealthy', 'crashed', 'stale'] },
  ]);
});

test('all workers, sorted by id; those of a node that is away are not there to be had', async () => {
  nodes.workersOf.set('node-1', [worker('b', 'idle')]);
  nodes.workersOf.set('node-2', [worker('a', 'idle', { node_id: 'node-2' })]);
  const ids = async (path: string) =>
    ((await asked(path)).body['workers'] as WorkerReport[]).map(({ worker_id }) => worker_id);
  assert.deepEqual(await ids('list'), ['node-1:b:r0', 'node-2:a:r0']);
  assert.deepEqual(await ids('list?node=node-2'), ['node-2:a:r0']);
  assert.equal((await asked('node-1%3Ab%3Ar0')).body['pool_id'], 'b');
  assert.deepEqual((await refusedWith('gone')).slice(0, 2), [404, 'WORKER_NOT_FOUND']);
  nodes.away.add('node-2');
  assert.deepEqual(await ids('list'), ['node-1:b:r0']);
});

test('B-WHL-001, B-RERR-006: asked for health, no worker at all is NO_WORKERS', async () => {
  for (const path of ['health', 'health?node=node-1', 'node-1%3Aa%3Ar0/health'])
    assert.deepEqual(await refusedWith(path), [503, 'NO_WORKERS', { operation: 'health' }], path);
});

test('B-WHL-002, B-WHL-003: an engine that answers otherwise is told from one that does not answer', async () => {
  nodes.workersOf.set('node-1', [worker('a', 'idle'), worker('b', 'loading')]);
  const worker_id = 'node-1:a:r0';
  const path = 'node-1%3Aa%3Ar0/health';
  nodes.healthOf.set(worker_id, { status: 200, cause: null });
  assert.deepEqual((await asked(path)).body, { worker_id, status: 'alive', state: 'idle' });
  nodes.healthOf.set(worker_id, { status: 503, cause: null });
  assert.deepEqual(await refusedWith(path), [503, 'WORKER_UNHEALTHY', { worker_id, status: 503 }]);
  nodes.healthOf.set(worker_id, { status: null, cause: 'connection' });
  assert.deepEqual(await refusedWith(path), [502, 'HEALTH_CHECK_ERROR', { worker_id, cause: 'connection' }]);
  nodes.healthOf.set(worker_id, { status: null, cause: 'timeout' });
  assert.deepEqual(await refusedWith(path), [504, 'HEALTH_CHECK_ERROR', { worker_id, cause: 'timeout' }]);
  const loading = { worker_id: 'node-1:b:r0', status: null };
  assert.deepEqual(await refusedWith('node-1%3Ab%3Ar0/health'), [503, 'WORKER_UNHEALTHY', loading]);
  assert.deepEqual((await refusedWith('gone/health')).slice(0, 2), [404, 'WORKER_NOT_FOUND']);
  assert.equal(((await asked('health?node=node-1')).body['workers'] as WorkerReport[]).length, 2);
});

/** The frames of a stream of progress, to its end. */
async function framesOf(path: string) {
  const answer = await api.ask('GET', `/v2/workers/${path}`);
  assert.equal(answer.statusCode, 200, answer.body);
  assert.match(String(answer.headers['content-type']), /^text\/event-stream/);
  const said = answer.body.split('\n\n').filter((block) => block.startsWith('data: '));
  return said.map((block) => block.slice(6));
}

test('B-LOAD-005, B-LOAD-004: progress of no worker at all is NO_WORKERS, of none that loads NOT_LOADING, of a loaded one its end', async () => {
  assert.deepEqual(await refusedWith('progress'), [503, 'NO_WORKERS', { operation: 'progress' }]);
  assert.deepEqual(await refusedWith('progress?worker_id=x'), [503, 'NO_WORKERS', { operation: 'progress' }]);
  nodes.workersOf.set('node-1', [worker('a', 'idle')]);
  assert.deepEqual(await refusedWith('progress'), [503, 'NOT_LOADING', { count: 1, states: { idle: 1 } }]);
  assert.deepEqual(await refusedWith('progress?worker_id=x'), [404, 'WORKER_NOT_FOUND', undefined]);
  assert.deepEqual(await framesOf('progress?worker_id=node-1:a:r0'), ['{"stage":"ready"}', '[DONE]']);
});

test('B-LOAD-003: the layers of the worker that loads are relayed as its node tells them, to the end', async () => {
  const at = (layers_loaded: number) => ({ layers_loaded, layers_total: 28, vram_mb: layers_loaded * 100 });
  const told = [{ loading: at(3) }, {}, { loading: at(3) }, { loading: at(28) }];
  nodes.workersOf.set('node-2', [worker('b', 'loading', { node_id: 'node-2', ...told.shift() })]);
  nodes.onCall = (call) => {
    if (!call.startsWith('node-2 workers')) return;
    const next = told.shift();
    const state = next === undefined ? 'idle' : 'loading';
    nodes.workersOf.set('node-2', [worker('b', state, { node_id: 'node-2', ...next })]);
  };
  const frames = await framesOf('progress');
  nodes.onCall = () => undefined;
  const loading = (layers: number) => ({ stage: 'loading_to_vram', ...at(layers) });
  assert.deepEqual(
    frames.slice(0, -1).map((text) => JSON.parse(text) as unknown),
    [loading(3), loading(28), { stage: 'ready' }],
  );
  assert.equal(frames.at(-1), '[DONE]');
});

test('a worker that falls while it loads, or goes, ends the progress with an error', async () => {
  const loading = { layers_loaded: 3, layers_total: 28, vram_mb: 0 };
  for (const [after, code, message] of [
    [[worker('a', 'crashed', { last_error: 'out of luck' })], 'PRELOAD_FAILED', 'out of luck'],
    [[], 'WORKER_NOT_FOUND', 'the worker is gone'],
  ] as const) {
    nodes.workersOf.set('node-1', [worker('a', 'loading', { loading })]);
    nodes.onCall = (call) => {
      if (call.startsWith('node-2 workers')) nodes.workersOf.set('node-1', [...after]);
    };
    const frames = await framesOf('progress');
    nodes.onCall = () => undefined;
    assert.deepEqual(frames.slice(-2), [JSON.stringify({ stage: 'error', code, message }), '[DONE]']);
  }
});
