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
  type PriorityClass,
} from './admission.js';

const filled = (tasks: readonly [string, PriorityClass][], capacity = 16) =>
  tasks.reduce((queue, [id, priority]) => enqueue(queue, id, priority), emptyQueue(capacity));

test('B-DP-010, B-DP-011, B-DP-063: interactive tasks go before batch tasks, each class in order of arrival', () => {
  const queue = filled([
    ['b1', 'batch'],
    ['i1', 'interactive'],
    ['b2', 'batch'],
    ['i2', 'interactive'],
  ]);
  const order: (string | undefined)[] = [];
  for (let rest = queue; depth(rest) > 0; rest = remove(rest, first(rest) ?? '')) order.push(first(rest));
  assert.deepEqual(order, ['i1', 'i2', 'b1', 'b2']);
  assert.equal(depth(queue, 'interactive'), 2);
  assert.equal(depth(queue, 'batch'), 2);
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
  assert.equal(hasRoom(remove(full, 'a'), 0), true);
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
  assert.equal(position(remove(queue, 'i1'), 'b2'), 1);
});

test('removing a task that does not wait changes nothing', () => {
  const queue = filled([['a', 'batch']]);
  assert.equal(remove(queue, 'b'), queue);
});

test('however tasks come and go, positions are those of the order of dispatch', () => {
  const moves = fc.array(
    fc.tuple(fc.nat(9), fc.constantFrom<PriorityClass>('interactive', 'batch'), fc.boolean()),
  );
  fc.assert(
    fc.property(moves, (steps) => {
      let queue = emptyQueue(100);
      for (const [n, priority, leaves] of steps) {
        const id = `t${n}`;
        if (leaves) queue = remove(queue, id);
        else if (position(queue, id) === null) queue = enqueue(queue, id, priority);
      }
      const order = [...queue.interactive, ...queue.batch];
      assert.deepEqual(
        order.map((id) => position(queue, id)),
        order.map((_, index) => index),
      );
    }),
  );
});
