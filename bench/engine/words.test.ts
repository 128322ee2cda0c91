import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf, idsOf, promptOf, saidIn, spell, taskOf, textOf, tokensIn } from './words.js';

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

test('ids spell the prompt and every token that was said, on an engine that has said none of them', () => {
  const said = [0, 1, 2].map((index) => ({ task: 7, index, atMs: 86_400_123.4565 * (index + 1) }));
  const ids = [...idsOf(promptOf(7)), ...said.map(idOf)];
  assert.equal(spell(ids), promptOf(7) + said.map(textOf).join(''));
  assert.equal(taskOf(ids), 7);
});

test('the next token is the one after those of the prompt', () => {
  const prompt = idsOf(promptOf(7));
  assert.equal(saidIn(prompt), 0);
  assert.equal(saidIn([...prompt, idOf({ atMs: 0 }), idOf({ atMs: 1 })]), 2);
});

test('other words are refused', () => {
  assert.throws(() => tokensIn('1:2:3.000 the sea'), /not the engine's words/);
});
