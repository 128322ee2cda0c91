import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Narrations } from '../testing/narrations.js';
import { story, type StoryFields } from './narration.js';

const KNOWN: Required<StoryFields> = {
  ...{ correlation_id: 'c', session_id: 's', job_id: 't', task_id: 't', pool_id: 'p', replica_id: 'r0' },
  ...{ worker_id: 'w', error_kind: 'E', retry_after_ms: 1, backoff_ms: 2, duration_ms: 3, queue_position: 4 },
  ...{ predicted_start_ms: 5, engine: 'vllm', engine_version: 'v', model_ref: 'm', device: 'GPU0' },
  ...{ tokens_in: 6, tokens_out: 7, decode_time_ms: 8, emitted_by: 'a@1', emitted_at_ms: 9 },
  ...{ trace_id: 'x', span_id: 'y', parent_span_id: 'z', source_location: 'a.ts:1' },
};

test('B-NARR-002, B-NARR-003, B-NARR-013: a story has what is known of it under the names of the contract, and nothing else', () => {
  const heard = new Narrations();
  heard.log.info(story('drover', 'act', 'target', 'Does it', KNOWN), 'all');
  heard.has('act', KNOWN);
  heard.clear();
  const nothing = Object.fromEntries(Object.keys(KNOWN).map((name) => [name, null]));
  heard.log.info(story('drover', 'act', 'target', 'Does it', { ...nothing, tokens_out: 0 }), 'little');
  const names = Object.keys(heard.of('act')).sort();
  const always = ['action', 'actor', 'component', 'emitted_at_ms', 'emitted_by', 'human', 'level', 'msg'];
  assert.deepEqual(names, [...always, 'target', 'tokens_out', 'ts']);
  // Nothing whimsical: the types of stories have no such field, so that none can be told.
  const whimsical: (keyof StoryFields)[] = [
    // @ts-expect-error B-NARR-013
    'cute',
    // @ts-expect-error B-NARR-013
    'story',
  ];
  for (const name of whimsical) assert.equal(names.includes(name), false);
});

test('B-NARR-002: an error that is told says where it came from, by a path below our own folder', () => {
  const heard = new Narrations();
  const told = story('drover', 'fail', 'target', 'Fails');
  heard.log.error({ err: new Error('x'), ...told }, 'ours');
  assert.match(heard.of('fail').source_location ?? '', /^telemetry\/narration\.test\.ts:\d+$/);
  heard.clear();
  const theirs = new Error('x');
  theirs.stack = 'Error: x\n    at parse (/opt/others/node_modules/x/index.js:1:2)';
  heard.log.error({ err: theirs, ...told }, 'not ours');
  assert.equal(heard.of('fail').source_location, undefined);
});

test('B-NARR-014: a story that cannot be told is left out, and whoever tells it goes on', () => {
  const heard = new Narrations();
  const unspeakable = {
    get human(): string {
      throw new Error('no words');
    },
    action: 'act',
  };
  heard.log.info(unspeakable, 'one');
  heard.log.info(story('drover', 'act', 'target', 'Goes on'), 'two');
  assert.deepEqual(
    heard.told.map(({ human }) => human),
    ['Goes on'],
  );
});

test('B-NARR-004: a sentence is at most 100 characters, whatever stands in it', () => {
  const { human } = story('drover', 'act', 'target', `Fetches ${'x'.repeat(200)}`);
  assert.equal(human.length, 100);
  assert.match(human, /^Fetches x+…$/);
});
