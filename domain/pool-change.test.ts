import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  entryChanges,
  nextStep,
  nextStepWithout,
  type PoolFacts,
  type PoolStep,
  type WantedPool,
} from './pool-change.js';

const WANTED: WantedPool = { digest: 'a', device_mask: null, preload: true, isNews: false };
const SAME: PoolFacts = {
  state: 'ready',
  config_digest: 'a',
  device_mask: null,
  next_restart_at: null,
  wasDrained: false,
};
const due = '2026-01-01T00:00:00.000Z';

const rows: [string, Partial<WantedPool>, Partial<PoolFacts> | undefined, PoolStep][] = [
  ['a pool that no node knows is loaded', {}, undefined, 'preload'],
  ['one that is loaded by hand is not', { preload: false }, undefined, 'none'],
  ['one that a node only knows of is loaded', {}, { state: 'uninitialized', config_digest: null }, 'preload'],
  ['one that serves as its entry says is left alone', {}, {}, 'none'],
  ['one that sleeps as its entry says is left alone', {}, { state: 'asleep' }, 'none'],
  ['one that sleeps and was to be otherwise is told', {}, { state: 'asleep', config_digest: 'b' }, 'preload'],
  ['one that serves otherwise is reloaded', {}, { config_digest: 'b' }, 'reload'],
  ['one that an operator loaded otherwise is reloaded', {}, { config_digest: null }, 'reload'],
  ['one on other devices is drained first', { device_mask: '1' }, { config_digest: 'b' }, 'drain'],
  ['one that is loading is waited for', {}, { state: 'starting' }, 'wait'],
  ['one that is being drained is waited for', {}, { state: 'draining', config_digest: 'b' }, 'wait'],
  ['one that is being reloaded is waited for', {}, { state: 'reloading' }, 'wait'],
  ['one that ended with its node is loaded again', {}, { state: 'offline' }, 'preload'],
  ['one that an operator drained stays drained', {}, { state: 'offline', wasDrained: true }, 'none'],
  ['unless it is new in the file', { isNews: true }, { state: 'offline', wasDrained: true }, 'preload'],
  ['or its entry is another', {}, { state: 'offline', wasDrained: true, config_digest: 'b' }, 'preload'],
  ['one that failed is loaded again', {}, { state: 'failed' }, 'preload'],
  ['unless its supervisor will do it', {}, { state: 'failed', next_restart_at: due }, 'none'],
  ['or it has another entry', {}, { state: 'failed', next_restart_at: due, config_digest: 'b' }, 'preload'],
  ['one that backs off is left to its supervisor', {}, { state: 'backoff', next_restart_at: due }, 'none'],
  ['unless it has another entry', {}, { state: 'backoff', config_digest: 'b' }, 'preload'],
];
for (const [title, wanted, pool, step] of rows) {
  test(`by its entry: ${title}`, () => {
    const facts = pool === undefined ? undefined : { ...SAME, ...pool };
    assert.equal(nextStep({ ...WANTED, ...wanted }, facts), step);
  });
}

test('a pool without an entry is drained when it came from the file, and never when it did not', () => {
  const steps = (['ready', 'failed', 'backoff', 'starting', 'draining', 'offline'] as const).map((state) =>
    nextStepWithout({ state, config_digest: 'a' }),
  );
  assert.deepEqual(steps, ['drain', 'drain', 'drain', 'wait', 'none', 'none']);
  assert.equal(nextStepWithout({ state: 'ready', config_digest: null }), 'none');
});

test('two files differ by what was added, changed and removed', () => {
  const before = new Map(Object.entries({ a: '1', b: '1', c: '1' }));
  const after = new Map(Object.entries({ b: '2', c: '1', d: '1' }));
  assert.deepEqual(
    entryChanges(before, after).map(({ pool_id, change }) => `${pool_id} ${change}`),
    ['a removed', 'b changed', 'c unchanged', 'd added'],
  );
});
