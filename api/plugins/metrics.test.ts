import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

describe('GET /metrics', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  const scrape = async () => (await api.ask('GET', '/metrics', { headers: { 'x-api-key': '' } })).body;
  /** Series that differ between two scrapes. */
  const moved = (from: string, to: string) =>
    to
      .split('\n')
      .filter((line) => !line.startsWith('#') && !from.split('\n').includes(line))
      .sort();

  it('B-OBS-001, B-OBS-007, B-OBS-009: is Prometheus text, without a key', async () => {
    const answer = await api.ask('GET', '/metrics', { headers: { 'x-api-key': '' } });
    assert.equal(answer.statusCode, 200);
    assert.match(String(answer.headers['content-type']), /^text\/plain; version=0\.0\.4/);
    assert.match(answer.body, /^# HELP tasks_enqueued_total /);
    assert.match(answer.body, /^# TYPE queue_depth gauge$/m);
  });

  it('B-OBS-008, C-011: is not changed by being read', async () => {
    const first = await scrape();
    await scrape();
    assert.equal(await scrape(), first);
  });

  it('B-DP-028, B-OBS-006, B-OBS-015, C-010: an admitted task counts once, under what really serves it', async () => {
    const before = await scrape();
    const payload = taskBody({ task_id: 'm-1' });
    await api.ask('POST', '/v2/tasks', { payload });
    await api.ask('POST', '/v2/tasks', { payload });
    const labels =
      'engine="llamacpp",engine_version="b1",pool_id="default",replica_id="r0",priority="interactive"';
    const series = moved(before, await scrape()).filter((line) => line.startsWith('tasks_'));
    assert.deepEqual(series, [`tasks_enqueued_total{${labels}} 1`]);
  });

  it('B-DP-034, B-DP-035, B-OBS-036, C-064: a full queue counts as one rejection and one act of its policy', async () => {
    const before = await scrape();
    api.nodes.refusal = new DroverError('ADMISSION_REJECT', 'the queue is full', {
      policy_label: 'reject',
      retry_after_ms: 1_000,
    });
    const answer = await api.ask('POST', '/v2/tasks', { payload: taskBody({ task_id: 'm-2' }) });
    api.nodes.refusal = undefined;
    assert.equal(answer.statusCode, 429);
    const series = moved(before, await scrape()).filter((line) => !line.startsWith('placement_'));
    assert.deepEqual(series, [
      'admission_backpressure_events_total{engine="llamacpp",policy="reject"} 1',
      'tasks_rejected_total{engine="llamacpp",reason="ADMISSION_REJECT"} 1',
    ]);
  });

  it('B-DP-034, B-OBS-018: an invalid task is rejected under its code, and an engine that is none has no series', async () => {
    const before = await scrape();
    await api.ask('POST', '/v2/tasks', { payload: taskBody({ ctx: -1 }) });
    await api.ask('POST', '/v2/tasks', { payload: taskBody({ engine: 'x'.repeat(50) }) });
    await api.ask('POST', '/v2/tasks', { payload: taskBody({ ctx: -1 }), headers: { 'x-api-key': 'wrong' } });
    assert.deepEqual(moved(before, await scrape()), [
      'tasks_rejected_total{engine="",reason="INVALID_PARAMS"} 1',
      'tasks_rejected_total{engine="llamacpp",reason="INVALID_PARAMS"} 1',
    ]);
  });

  it('B-PL-015: placements count by outcome', async () => {
    const before = await scrape();
    await api.ask('POST', '/v2/tasks', { payload: taskBody({ task_id: 'm-3', model_ref: 'nobody-has-it' }) });
    assert.ok(
      moved(before, await scrape()).some((line) =>
        line.startsWith('placement_decisions_total{outcome="no_capacity",pinned="false",fallback="false"}'),
      ),
    );
  });
});
