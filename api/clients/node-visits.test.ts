import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { failureIn } from './node-visits.js';

const ended = (cause: Error) => new WorkflowFailedError('it failed', cause, 'NON_RETRYABLE_FAILURE');
const failure = (type: string, details: object) =>
  ended(ApplicationFailure.create({ type, message: 'as the node says', details: [details] }));

test('B-SSH-006, C-181: a failed visit is told with its code and facts, but for where the node is', () => {
  const facts = { node_name: 'gpu-1', reason: 'timeout', attempts: 3 };
  assert.deepEqual(failureIn(failure('SSH_TIMEOUT', { ...facts, ssh_host: '10.0.0.7' }), 'gpu-1'), {
    ...{ kind: 'failed', code: 'SSH_TIMEOUT', message: 'as the node says', details: facts },
  });
});

test('B-SSH-005: the exit code of the remote command is kept', () => {
  const told = failureIn(failure('SSH_COMMAND_FAILED', { node_name: 'gpu-1', exit_code: 127 }), 'gpu-1');
  assert.ok(told?.kind === 'failed');
  assert.deepEqual([told.code, told.details['exit_code']], ['SSH_COMMAND_FAILED', 127]);
});

test('a failure with other facts names the node, one of no code of ours is INTERNAL, and an end from outside is none', () => {
  const told = failureIn(failure('Weird', { pool_id: 'x' }), 'gpu-1');
  assert.ok(told?.kind === 'failed');
  assert.deepEqual([told.code, told.details], ['INTERNAL', { node_name: 'gpu-1' }]);
  assert.equal(failureIn(ended(new CancelledFailure('cancelled')), 'gpu-1'), undefined);
  assert.equal(failureIn(new Error('gRPC'), 'gpu-1'), undefined);
});
