import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTerminal, mayMove, TASK_STATES } from './task.js';

const TERMINAL = ['completed', 'cancelled', 'failed', 'dropped', 'expired', 'rejected'];

test('a task that has ended goes nowhere', () => {
  for (const state of TASK_STATES) {
    assert.equal(isTerminal(state), TERMINAL.includes(state), state);
    if (isTerminal(state))
      for (const to of TASK_STATES) assert.equal(mayMove(state, to), false, `${state} to ${to}`);
  }
});

test('a task goes from queued to completed by dispatched and executing, and a cancel asked for can only succeed', () => {
  assert.equal(mayMove('queued', 'dispatched'), true);
  assert.equal(mayMove('dispatched', 'executing'), true);
  assert.equal(mayMove('executing', 'completed'), true);
  assert.equal(mayMove('queued', 'completed'), false);
  assert.equal(mayMove('cancel_requested', 'completed'), false);
  assert.equal(mayMove('cancel_requested', 'cancelled'), true);
});
