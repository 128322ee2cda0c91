import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from './gate.js';
import type { LlamaSequence } from './llama-types.js';
import { PrefillPace } from './prefill-pace.js';
import { Slot, SlotPool } from './slots.js';

/** Slots that remember these tokens. */
function poolOf(...memories: number[][]): SlotPool {
  return new SlotPool(memories.map((memory, id) => new Slot(id, remembering(memory), 100)));
}

function remembering(memory: readonly number[]): LlamaSequence {
  const never = (): never => {
    throw new Error('not used by the pool');
  };
  return {
    contextSize: 100,
    nextTokenIndex: memory.length,
    compareContextTokens: (tokens) => {
      const different = memory.findIndex((token, index) => tokens[index] !== token);
      return { firstDifferentIndex: different === -1 ? memory.length : different };
    },
    adaptStateToTokens: never,
    evaluate: never,
    evaluateWithoutGeneratingNewTokens: never,
  };
}

const open = new AbortController().signal;

test('the slot that remembers most of the prompt is taken', async () => {
  const pool = poolOf([1, 9], [1, 2, 3], [1, 2]);
  assert.equal((await pool.acquire([1, 2, 3, 4], undefined, open)).id, 1);
});

test('a chance beginning is no memory: then the slot that was idle for longest is taken', async () => {
  const pool = poolOf([1], [1], [1]);
  for (const id of [1, 0, 2]) pool.release(await pool.acquire([5], id, open));
  const prompt = Array.from({ length: 40 }, (_, index) => index + 1);
  assert.equal((await pool.acquire(prompt, undefined, open)).id, 1);
});

test('requests without a slot wait in their order', async () => {
  const pool = poolOf([]);
  const slot = await pool.acquire([1], undefined, open);
  const order: string[] = [];
  const first = pool.acquire([1], undefined, open).then(() => order.push('first'));
  const second = pool.acquire([1], undefined, open).then(() => order.push('second'));
  assert.deepEqual([pool.waiting, pool.busy], [2, 1]);
  pool.release(slot);
  await first;
  assert.equal(slot.busy, true);
  pool.release(slot);
  await second;
  assert.deepEqual(order, ['first', 'second']);
  pool.release(slot);
  assert.deepEqual([pool.waiting, pool.busy], [0, 0]);
});

test('a request that leaves the queue is not given a slot', async () => {
  const pool = poolOf([]);
  const slot = await pool.acquire([1], undefined, open);
  const leaving = new AbortController();
  const gone = pool.acquire([1], undefined, leaving.signal);
  const staying = pool.acquire([1], undefined, open);
  leaving.abort(new Error('left'));
  await assert.rejects(gone, /left/);
  pool.release(slot);
  assert.equal(await staying, slot);
});

test('a request for one slot waits for that slot, and lets others pass', async () => {
  const pool = poolOf([], []);
  const [zero, one] = [await pool.acquire([1], 0, open), await pool.acquire([1], 1, open)];
  const picky = pool.acquire([1], 1, open);
  const any = pool.acquire([1], undefined, open);
  pool.release(zero);
  assert.equal(await any, zero);
  pool.release(one);
  assert.equal(await picky, one);
});

test('the gate is open unless a task runs, and opens when the last of them ends', async () => {
  const gate = new Gate();
  assert.equal(gate.pass(), undefined);
  const ends: (() => void)[] = [];
  const task = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
  const tasks = [gate.closedDuring(task), gate.closedDuring(task)];
  const passed = gate.pass();
  assert.ok(passed);
  ends[0]?.();
  await tasks[0];
  assert.equal(gate.pass(), passed);
  ends[1]?.();
  await passed;
  assert.equal(gate.pass(), undefined);
});

test('the gate opens after a task that failed', async () => {
  const gate = new Gate();
  await assert.rejects(gate.closedDuring(() => Promise.reject(new Error('broken'))));
  assert.equal(gate.pass(), undefined);
});

test('chunks of a prompt grow on a fast machine, at most twofold, and stay small on a slow one', () => {
  const fast = new PrefillPace();
  const sizes = Array.from({ length: 6 }, () => {
    const { chunk } = fast;
    fast.note(chunk, chunk / 10);
    return chunk;
  });
  assert.deepEqual(sizes, [32, 64, 128, 256, 512, 512]);
  const slow = new PrefillPace();
  slow.note(slow.chunk, 6400);
  assert.equal(slow.chunk, 32);
});
