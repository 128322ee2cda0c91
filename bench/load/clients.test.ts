import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { clients } from './clients.js';

test('all pieces are done, in their order, by as many clients at once as were asked for', async () => {
  let [now, most] = [0, 0];
  const results = await clients(3, 10, async (index) => {
    now += 1;
    most = Math.max(most, now);
    await turn();
    now -= 1;
    return index;
  });
  assert.deepEqual(
    results,
    Array.from({ length: 10 }, (_, index) => index),
  );
  assert.equal(most, 3);
});

test('a piece that fails fails all of it, after the others have finished theirs', async () => {
  let finished = 0;
  const work = async (index: number) => {
    await turn();
    if (index === 0) throw new Error('lost');
    await turn();
    finished += 1;
  };
  await assert.rejects(clients(2, 100, work), /lost/);
  assert.equal(finished, 1);
});
