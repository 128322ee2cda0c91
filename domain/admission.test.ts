import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  depth,
  emptyQueue,
  enqueue,
  first,
  hasRoom,
  position,
  remove,
  waiting,
  type PriorityClass,
} from './admission.js';

const filled = (tasks: readonly [string, PriorityClass][], capacity = 16) =>
  tasks.reduce((queue, [id, priority]) => {
    enqueue(queue, id, priority);
    return queue;
  }, emptyQueue(capacity));

test('B-DP-010, B-DP-011, B-DP-063: interactive tasks go before batch tasks, each class in order of arrival', () => {
  const queue = filled([
    ['b1', 'batch'],
    ['i1', 'interactive'],
    ['b2', 'batch'],
    ['i2', 'interactive'],
  ]);
  assert.deepEqual([depth(queue, 'interactive'), depth(queue, 'batch')], [2, 2]);
  const order: (string | undefined)[] = [];
  for (; depth(queue) > 0; remove(queue, order.at(-1) ?? '')) order.push(first(queue));
  assert.deepEqual(order, ['i1', 'i2', 'b1', 'b2']);
});

test('B-DP-060: capacity counts both classes together, and free slots are room too', () => {
  const full = filled(
    [
      ['a', 'interactive'],
      ['b', 'batch'],
    ],
    2,
  );
  assert.equal(hasRoom(full, 0), false);
  assert.equal(hasRoom(full, 1), true);
  remove(full, 'a');
  assert.equal(hasRoom(full, 0), true);
});

test('B-DP-015, B-DP-068: a position counts who goes before, and shrinks when one of them leaves', () => {
  const queue = filled([
    ['b1', 'batch'],
    ['i1', 'interactive'],
    ['b2', 'batch'],
  ]);
  assert.deepEqual(
    ['i1', 'b1', 'b2', 'gone'].map((id) => position(queue, id)),
    [0, 1, 2, null],
  );
  remove(queue, 'i1');
  assert.equal(position(queue, 'b2'), 1);
});

test('removing a task that does not wait changes nothing', () => {
  const queue = filled([['a', 'batch']]);
  assert.equal(remove(queue, 'b'), false);
  assert.deepEqual(waiting(queue), ['a']);
});

test('B-DP-064: a task comes and goes at the cost of one, however many wait, and in order of arrival', () => {
  const walked: string[] = [];
  class Watched extends Set<string> {
    override *[Symbol.iterator](): SetIterator<string> {
      for (const id of super[Symbol.iterator]()) {
        walked.push(id);
        yield id;
      }
      return undefined;
    }
  }
  const queue = { capacity: 10_000, interactive: new Watched(), batch: new Watched() };
  const places = Array.from({ length: 5_000 }, (_, n) => [
    enqueue(queue, `i${n}`, 'interactive'),
    enqueue(queue, `b${n}`, 'batch'),
  ]);
  assert.deepEqual(places.at(-1), [4_999, 9_999]);
  assert.equal(remove(queue, 'i2500'), true);
  assert.deepEqual(walked, [], 'nobody who waits is looked at');
  const order: (string | undefined)[] = [];
  for (; depth(queue) > 0; remove(queue, order.at(-1) ?? '')) order.push(first(queue));
  assert.deepEqual(walked, order, 'whoever is next is looked at, once, and nobody else');
  assert.deepEqual([order[0], order[2_500], order[4_999], order.at(-1)], ['i0', 'i2501', 'b0', 'b4999']);
});

test('however tasks come and go, positions are those of the order of dispatch', () => {
  const moves = fc.array(
    fc.tuple(fc.nat(9), fc.constantFrom<PriorityClass>('interactive', 'batch'), fc.boolean()),
  );
  fc.assert(
    fc.property(moves, (steps) => {
      const queue = emptyQueue(100);
      for (const [n, priority, leaves] of steps) {
        const id = `t${n}`;
        if (leaves) remove(queue, id);
        else if (position(queue, id) === null)
          assert.equal(enqueue(queue, id, priority), position(queue, id));
      }
      const order = waiting(queue);
      assert.deepEqual(
        order.map((id) => position(queue, id)),
        order.map((_, index) => index),
      );
    }),
  );
});
