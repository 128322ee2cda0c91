import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { Transcript } from '../contracts/artifact.js';
import { DroverError } from '../contracts/errors.js';
import type { Frame } from '../contracts/events.js';
import { createTaskActivities, type RunLink } from './task-activities.js';

const notAsked = () => assert.fail('not expected');
const FAILURE = { code: 'WORKER_RESET' as const, message: 'the node of the task is gone', retriable: true };
const ORDER = { node_id: 'node-1', task_id: 't-1' };

const token = (offset: number, t: string): Frame => ({
  offset,
  epoch: 1,
  type: 'token',
  data: { t, i: offset },
});
const error = (offset: number): Frame => ({ offset, epoch: 1, type: 'error', data: FAILURE });

/** Keeps the transcript of a node that answers so; gives what was kept, by task. */
async function kept(transcript: RunLink['transcript'], order: { failure?: typeof FAILURE } = {}) {
  const all: Record<string, Transcript> = {};
  const keep = async (taskId: string, document: Transcript) => {
    all[taskId] = document;
    return 'artifact';
  };
  const { keepTranscript } = createTaskActivities({ attach: notAsked, cancel: notAsked, transcript }, keep, {
    findPlace: notAsked,
    moveTask: notAsked,
  });
  return { id: await keepTranscript({ ...ORDER, ...order }), all };
}

test('B-DP-141, B-STR-031, B-DP-148: every event with its type and data, in order, an error with its context last', async () => {
  const { id, all } = await kept(async () => [token(0, 'a'), token(1, 'b'), error(2)]);
  assert.equal(id, 'artifact');
  assert.deepEqual(all, {
    't-1': {
      events: [
        { type: 'token', data: { t: 'a', i: 0 } },
        { type: 'token', data: { t: 'b', i: 1 } },
        { type: 'error', data: FAILURE },
      ],
    },
  });
});

test('B-DP-148: of a node that is given up its failure is kept, after what it still tells', async () => {
  const away = async () => Promise.reject(new DroverError('POOL_UNAVAILABLE', 'away'));
  const events = async (transcript: RunLink['transcript']) =>
    (await kept(transcript, { failure: FAILURE })).all['t-1']?.events.map(({ type }) => type);
  assert.deepEqual(await events(away), ['error']);
  assert.deepEqual(await events(async () => undefined), ['error']);
  assert.deepEqual(await events(async () => [token(0, 'a')]), ['token', 'error']);
  assert.deepEqual(await events(async () => [token(0, 'a'), error(1)]), ['token', 'error']);
});

test('a node that does not answer now is asked again; a run that it has forgotten leaves nothing to keep', async () => {
  const away = kept(async () => Promise.reject(new DroverError('POOL_UNAVAILABLE', 'away')));
  await assert.rejects(away, (err) => err instanceof ApplicationFailure && err.nonRetryable !== true);
  assert.deepEqual(await kept(async () => undefined), { id: null, all: {} });
});
