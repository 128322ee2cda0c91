import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../engine/words.js';
import { Answer } from './answer.js';

const token = (index: number, task = 3) => textOf({ task, index, atMs: 1 });

test('an answer with all its tokens in order has an end', () => {
  const answer = new Answer(3, 3);
  answer.take(token(0));
  answer.take(token(1) + token(2));
  answer.end();
  assert.equal(answer.arrivals.length, 3);
  assert.ok(answer.endedMs >= answer.beganMs);
});

test('a token twice, a token missing and a token of another task are each an error', () => {
  const rows: [string, string][] = [
    [token(0), 'twice'],
    [token(2), 'missing'],
    [token(1, 4), 'of another task'],
  ];
  for (const [next, what] of rows) {
    const answer = new Answer(3, 3);
    answer.take(token(0));
    assert.throws(() => answer.take(next), /task 3 got token/, what);
  }
});

test('an end that comes too early is an error', () => {
  const answer = new Answer(3, 2);
  answer.take(token(0));
  assert.throws(() => answer.end(), /ended after 1 of 2 tokens/);
});

test('the first token is told once', () => {
  let told = 0;
  const answer = new Answer(3, 2, () => (told += 1));
  answer.take(token(0));
  answer.take(token(1));
  assert.equal(told, 1);
});

test('the longest gap is the one between two tokens, not the wait for the first', () => {
  const answer = new Answer(3, 4);
  for (const hereMs of [1_000, 1_020, 1_100, 1_120]) answer.arrivals.push({ saidMs: 0, hereMs });
  assert.equal(answer.longestGapMs, 80);
});
