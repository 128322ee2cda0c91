import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idsOf, promptOf, taskOf, textOf, tokensIn } from './words.js';

test('the ids of a prompt name its task', () => {
  assert.equal(taskOf(idsOf(promptOf(4_711))), 4_711);
  assert.equal(taskOf(idsOf('a')), undefined);
});

test('every prompt is as long as any other', () => {
  assert.equal(new Set([1, 99, 123_456].map((task) => promptOf(task).length)).size, 1);
});

test('what the engine says can be read back, in one piece or many', () => {
  const said = [0, 1, 2].map((index) => ({ task: 7, index, atMs: 1_234.567 + index }));
  assert.deepEqual(tokensIn(said.map(textOf).join('')), said);
});

test('other words are refused', () => {
  assert.throws(() => tokensIn('1:2:3.000 the sea'), /not the engine's words/);
});
