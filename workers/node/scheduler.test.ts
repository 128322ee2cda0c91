import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Scheduler } from './scheduler.js';

function scheduler(capacity: number, slots: number) {
  const dispatched: string[] = [];
  const made = new Scheduler(capacity, { dispatch: (taskId) => dispatched.push(taskId) });
  made.setSlots('r0', slots);
  return { made, dispatched };
}

test('B-DP-013: a full queue refuses and nothing in it changes', () => {
  const { made } = scheduler(2, 1);
  for (const id of ['running', 'w1', 'w2']) {
    assert.notEqual(made.enqueue(id, 'interactive'), null);
    made.pump();
  }
  const before = made.waiting();
  assert.equal(made.enqueue('late', 'interactive'), null);
  assert.deepEqual(made.waiting(), before);
  assert.equal(made.enqueue('accepted before', 'batch', true), 2);
});

test('B-DP-070: of two that race for the last place exactly one gets it', () => {
  const { made } = scheduler(1, 1);
  made.enqueue('running', 'interactive');
  made.pump();
  const places = [made.enqueue('a', 'interactive'), made.enqueue('b', 'interactive')];
  assert.deepEqual(places, [0, null]);
});

test('B-DP-118: a slot belongs to one task and is freed once, however often it is given back', () => {
  const { made, dispatched } = scheduler(16, 1);
  for (const id of ['a', 'b', 'c']) made.enqueue(id, 'interactive');
  made.pump();
  assert.deepEqual(dispatched, ['a']);
  assert.equal(made.slotsFree, 0);
  made.release('a');
  made.release('a');
  assert.deepEqual(dispatched, ['a', 'b']);
  assert.deepEqual(made.leasesOf('r0'), ['b']);
});

test('B-REG-091, B-REG-093: whoever gives slots or frees one is told how many are held then', () => {
  const { made } = scheduler(16, 2);
  assert.equal(made.pump(), 0);
  made.enqueue('a', 'interactive');
  assert.equal(made.pump(), 1);
  for (const id of ['b', 'c']) made.enqueue(id, 'interactive');
  assert.equal(made.pump(), 2);
  assert.equal(made.release('a'), 2, 'c has its slot');
  assert.deepEqual([made.release('b'), made.release('c'), made.release('c')], [1, 0, 0]);
});

test('B-DP-204, B-DP-209: a task that leaves the queue is never dispatched and the depth falls by one', () => {
  const { made, dispatched } = scheduler(16, 1);
  for (const id of ['a', 'b', 'c']) made.enqueue(id, 'batch');
  made.pump();
  assert.equal(made.depth('batch'), 2);
  assert.equal(made.remove('b'), true);
  assert.equal(made.depth('batch'), 1);
  assert.equal(made.position('c'), 0);
  made.release('a');
  assert.deepEqual(dispatched, ['a', 'c']);
});

test('a replica that closes takes no new task, and free slots never fall below zero', () => {
  const { made, dispatched } = scheduler(16, 2);
  made.enqueue('a', 'interactive');
  made.enqueue('b', 'interactive');
  made.pump();
  made.setSlots('r0', 0);
  assert.equal(made.slotsFree, 0);
  made.enqueue('c', 'interactive');
  made.release('a');
  assert.deepEqual(dispatched, ['a', 'b']);
  made.setSlots('r1', 1);
  made.pump();
  assert.deepEqual(dispatched, ['a', 'b', 'c']);
  assert.deepEqual(made.leasesOf('r1'), ['c']);
});

test('whatever comes, leases never exceed slots and no task is dispatched twice', () => {
  const step = fc.record({ act: fc.constantFrom('offer', 'release', 'remove', 'slots'), n: fc.nat(12) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { made, dispatched } = scheduler(5, 2);
      const offered = new Set<string>();
      for (const { act, n } of steps) {
        const id = `t${n}`;
        if (act === 'offer' && !offered.has(id) && made.enqueue(id, n % 2 ? 'batch' : 'interactive') !== null)
          offered.add(id);
        if (act === 'release') made.release(id);
        if (act === 'remove') made.remove(id);
        made.pump();
        assert.ok(made.activeLeases <= 2);
        assert.ok(made.depth() <= 5);
      }
      assert.equal(new Set(dispatched).size, dispatched.length);
    }),
  );
});

test('a paused pool gives no slot to what waits, but to what had one before; unpaused it goes on', () => {
  const { made, dispatched } = scheduler(16, 2);
  made.pause(true);
  for (const id of ['a', 'b', 'had-one']) made.enqueue(id, 'interactive', true);
  made.goOn('had-one');
  made.pump();
  assert.deepEqual(dispatched, ['had-one']);
  made.release('had-one');
  assert.deepEqual(dispatched, ['had-one']);
  made.pause(false);
  made.pump();
  assert.deepEqual(dispatched, ['had-one', 'a', 'b']);
});
