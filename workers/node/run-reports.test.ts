import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { Narrations } from '../../testing/narrations.js';
import { nodesOfTests, offerOf } from '../../testing/test-node.js';
import type { RunMetrics } from './run-metrics.js';

const aNode = nodesOfTests();

test('what waits when a worker starts is shown of the engine that takes it, and then of none', async () => {
  const before = await aNode({ slots: 0 });
  await before.runs.attach(offerOf('a'));
  await before.crash();
  const gauges = new Map<string, number>();
  const queueDepth: RunMetrics['queueDepth'] = ({ engine, priority }, depth) =>
    void gauges.set(`${engine} ${priority}`, depth);
  const after = await aNode({ slots: 0, runsDir: before.runsDir, queueDepth });
  const waiting = () => [...gauges].filter(([, depth]) => depth > 0);
  assert.deepEqual(waiting(), [[' interactive', 1]]);
  after.open(1);
  await after.engine.asked(1);
  assert.deepEqual(waiting(), []);
});

const told = (heard: Narrations, event: string) =>
  eventually(
    () => `a line of ${event}`,
    () => heard.lines.some((line) => line['event'] === event) || undefined,
  );

/** What the contract wants in every record of a task's run (observability 3). */
const RECORD = [
  ...[
    'job_id',
    'task_id',
    'session_id',
    'correlation_id',
    'engine',
    'engine_version',
    'pool_id',
    'replica_id',
  ],
  ...['queue_position', 'predicted_start_ms', 'tokens_in', 'tokens_out', 'decode_time_ms'],
  ...['model_id', 'ctx', 'kv_warmth', 'queue_time_ms'],
];

test('B-OBS-024, B-OBS-022, B-NARR-009, B-NARR-010: the stream of a task is told at its start and end, with its figures', async () => {
  const heard = new Narrations('node');
  const { runs, engine } = await aNode({ log: heard.log });
  await runs.attach({ ...offerOf('t'), trace: { trace_id: 'trace-1' } });
  await engine.asked(1);
  engine.say('one ');
  engine.say('two');
  engine.finish('EOS');
  const { tokens_out } = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  await told(heard, 'run_ended');
  heard.says('stream_start', /on 3 prompt tokens after \d+ ms in the queue$/);
  const end = heard.of('stream_end');
  const { duration_ms = -1 } = end;
  assert.deepEqual([end.tokens_out, tokens_out, duration_ms >= 0], [2, 2, true]);
  assert.equal(end.human, `Ends a stream of 2 tokens after ${duration_ms} ms as completed`);
  for (const line of [heard.of('stream_start'), end]) {
    assert.deepEqual(
      RECORD.filter((name) => !(name in line)),
      [],
    );
    const { job_id, task_id, trace_id, pool_id, model_id } = line;
    assert.deepEqual(
      [job_id, task_id, trace_id, pool_id, model_id],
      ['t', 't', 'trace-1', 'default', 'demo'],
    );
  }
  assert.deepEqual([end['kv_warmth'], typeof end['queue_time_ms']], [true, 'number']);
});

test('B-OBS-041, B-NARR-011: what goes as it should is info, what is degraded a warning, what needs a person an error', async () => {
  const heard = new Narrations('node');
  const { runs, engine } = await aNode({ log: heard.log });
  await runs.attach(offerOf('t'));
  await engine.asked(1);
  engine.say('one ');
  engine.breakOff();
  await engine.asked(2);
  engine.fail();
  await told(heard, 'run_ended');
  const levels = new Map(heard.lines.map(({ event, level }) => [event, level]));
  assert.deepEqual([levels.get('run_started'), levels.get('run_ended')], ['info', 'info']);
  assert.equal(levels.get('run_waits_for_engine'), 'warn');
  assert.equal(levels.get('run_failed'), 'error');
  heard.has('stream_error', { error_kind: 'INTERNAL', tokens_out: 1, task_id: 't' });
  heard.has('stream_end', { error_kind: 'INTERNAL', state: 'failed' });
});
