import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POOL_STATES } from './pool.js';
import { stepsFrom, WORKER_STATES, workerState, workerStateNamed, type WorkerFacts } from './worker.js';

const FACTS: WorkerFacts = {
  ...{ pool: 'ready', crashed: false, outlived: false },
  ...{ leases: 0, circuit: 'closed', missedPolls: 0 },
};

for (const [facts, state] of [
  [{}, 'idle'],
  [{ leases: 1 }, 'busy'],
  [{ pool: 'reloading', leases: 2 }, 'busy'],
  [{ pool: 'starting' }, 'loading'],
  [{ pool: 'provisioning' }, 'loading'],
  [{ pool: 'draining', leases: 1 }, 'draining'],
  [{ pool: 'failed' }, 'error'],
  [{ pool: 'failed', crashed: true }, 'crashed'],
  [{ pool: 'backoff', crashed: true }, 'crashed'],
  [{ pool: 'backoff', crashed: true, outlived: true }, 'zombie'],
  [{ pool: 'failed', outlived: true }, 'error'],
  [{ missedPolls: 1, leases: 1 }, 'unhealthy'],
  [{ circuit: 'open' }, 'unhealthy'],
  [{ circuit: 'half_open', leases: 1 }, 'unhealthy'],
  [{ pool: 'offline' }, undefined],
  [{ pool: 'uninitialized' }, undefined],
] as const) {
  test(`a worker with ${JSON.stringify(facts)} is ${state ?? 'none'}`, () => {
    assert.equal(workerState({ ...FACTS, ...facts }), state);
  });
}

test('every state of a pool is thought of', () => {
  for (const pool of POOL_STATES) {
    const state = workerState({ ...FACTS, pool });
    assert.ok(state === undefined || WORKER_STATES.includes(state), pool);
  }
});

test('B-WST-006, B-WST-007: the table of steps; an inference takes a worker from idle to busy and back', () => {
  assert.deepEqual(Object.fromEntries(WORKER_STATES.map((state) => [state, stepsFrom(state)])), {
    loading: ['idle', 'error', 'crashed', 'draining'],
    idle: ['busy', 'draining', 'unhealthy', 'crashed', 'stale'],
    busy: ['idle', 'draining', 'unhealthy', 'crashed', 'stale'],
    draining: [],
    error: [],
    unhealthy: ['idle', 'busy', 'crashed'],
    crashed: [],
    stale: ['idle', 'busy'],
    zombie: [],
  });
});

test('"ready" is another word for idle, and no other word is one', () => {
  assert.equal(workerStateNamed('ready'), 'idle');
  for (const state of WORKER_STATES) assert.equal(workerStateNamed(state), state);
  for (const name of ['', 'IDLE', 'gone', 'toString']) assert.equal(workerStateNamed(name), undefined);
});
