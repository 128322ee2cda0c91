import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DroverError } from '../../../contracts/errors.js';
import { taskStatus, type TaskStatus } from '../../../contracts/task.js';
import type { TaskOutcome } from '../../../contracts/node.js';
import { startTestApi, taskBody, type TestApi } from '../../testing/test-api.js';

const OUTCOME: TaskOutcome = {
  state: 'completed',
  node_id: 'node-1',
  replica_id: 'r0',
  engine_version: 'b1',
  tokens_in: 4,
  tokens_out: 8,
  started_at_ms: 10,
  first_token_at_ms: 20,
  ended_at_ms: 30,
  stop_reason: 'EOS',
  error: null,
};

describe('a task on record', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi();
    await api.ask('POST', '/v2/tasks', { payload: taskBody() });
    api.nodes.calls.length = 0;
  });
  afterEach(() => api.close());

  const status = async (from = api) => {
    const answer = await from.ask('GET', '/v2/tasks/t-1');
    assert.equal(answer.statusCode, 200, answer.body);
    return taskStatus.strict().parse(answer.json());
  };
  const cancel = (id = 't-1', from = api) => from.ask('POST', `/v2/tasks/${id}/cancel`);
  /** Resolves when a call to a node contains `part`. */
  const called = (part: string) =>
    new Promise<void>((resolve) => {
      api.nodes.onCall = (call) => {
        if (call.includes(part)) resolve();
      };
    });
  /** An API process that has not seen the task. */
  const elsewhere = () => startTestApi({ nodes: api.nodes, records: api.records });

  describe('GET /v2/tasks/:id', () => {
    it('B-DP-220: is read from the node that has the run', async () => {
      api.nodes.run('t-1').state = 'executing';
      const read = await status();
      assert.equal(read.state, 'executing');
      assert.equal(read.node_id, 'node-1');
      assert.equal(read.admission.queue_position, 3);
    });

    it('B-DP-220: is read from the record while the node is away', async () => {
      api.nodes.away.add('node-1');
      const { state, node_id, pool_id, engine, admission, correlation_id } = await status();
      assert.deepEqual([state, node_id, pool_id, engine], ['queued', 'node-1', 'default', 'llamacpp']);
      assert.equal(admission.predicted_start_ms, 300);
      assert.equal(correlation_id, api.records.starts[0]?.offer.correlation_id);
    });

    it('B-DP-220, B-DP-143: is read from the record when the node has forgotten the run', async () => {
      api.nodes.runs.delete('t-1');
      const record = api.records.tasks.get('t-1');
      assert.ok(record);
      Object.assign(record, { open: false, state: 'completed' });
      record.memo.outcome = OUTCOME;
      const other = await elsewhere();
      for (const read of [await status(), await status(other)]) {
        const { state, tokens_in, tokens_out, stop_reason, ended_at_ms } = read;
        assert.deepEqual(
          [state, tokens_in, tokens_out, stop_reason, ended_at_ms],
          ['completed', 4, 8, 'EOS', 30],
        );
      }
      await other.close();
    });

    it('B-RERR-002: tells a failure of its node in the codes of tasks', async () => {
      api.nodes.runs.delete('t-1');
      const record = api.records.tasks.get('t-1');
      assert.ok(record);
      Object.assign(record, { open: false, state: 'failed' });
      const error = { code: 'DISK_FULL', message: 'no room', retriable: false, pool_id: 'default' } as const;
      record.memo.outcome = { ...OUTCOME, state: 'failed', stop_reason: 'ERROR', error };
      const { code, details, pool_id } = (await status()).error ?? assert.fail();
      assert.deepEqual(
        [code, details, pool_id],
        ['POOL_UNAVAILABLE', { cause_code: 'DISK_FULL' }, 'default'],
      );
    });

    it('B-DP-220: of a task that has ended names its transcript', async () => {
      api.nodes.runs.delete('t-1');
      const record = api.records.tasks.get('t-1');
      assert.ok(record);
      Object.assign(record, { open: false, state: 'completed' });
      const id = await api.artifacts.keepTranscript('t-1', { events: [] });
      assert.equal((await status()).transcript_artifact_id, null);
      record.memo.outcome = OUTCOME;
      assert.equal((await status()).transcript_artifact_id, id);
    });

    it('B-DP-115: an unknown id is 404', async () => {
      const answer = await api.ask('GET', '/v2/tasks/nobody');
      assert.equal(answer.statusCode, 404);
      assert.equal(answer.json<{ code: string }>().code, 'TASK_NOT_FOUND');
    });

    it('while Temporal is away a task is still read from its node, also by a process that never saw it', async () => {
      api.records.down = true;
      const other = await elsewhere();
      const reads: TaskStatus[] = [await status(), await status(other)];
      assert.deepEqual(
        reads.map(({ task_id }) => task_id),
        ['t-1', 't-1'],
      );
      await other.close();
    });
  });

  describe('POST /v2/tasks/:id/cancel', () => {
    it('B-DP-205, B-DP-200, B-DUR-005: reaches the node and the record, and answers 204 with an id', async () => {
      const answer = await cancel();
      assert.equal(answer.statusCode, 204);
      assert.equal(answer.body, '');
      assert.ok(answer.headers['x-correlation-id']);
      assert.deepEqual(api.nodes.calls, ['node-1 cancel t-1']);
      assert.deepEqual(api.records.cancelled, ['t-1']);
      assert.equal(api.nodes.run('t-1').state, 'cancelled');
    });

    it('B-DP-201, B-DP-202, B-NARR-009, B-OBS-023: is logged with the task, which is its breadcrumb too', async () => {
      await cancel();
      const line = api.log.find(({ event }) => event === 'cancel');
      assert.deepEqual([line?.['task_id'], line?.['reason']], ['t-1', 'client']);
      assert.deepEqual([line?.['actor'], line?.['action']], ['orchestratord', 'cancel']);
      assert.ok(String(line?.['human']).length <= 100);
    });

    it('B-DP-207: again, or after the end, changes nothing and answers the same', async () => {
      await cancel();
      assert.equal((await cancel()).statusCode, 204);
      const record = api.records.tasks.get('t-1');
      assert.ok(record);
      Object.assign(record, { open: false, state: 'cancelled' });
      api.nodes.runs.delete('t-1');
      const other = await elsewhere();
      assert.equal((await cancel('t-1', other)).statusCode, 204);
      await other.close();
    });

    it('B-DP-208, C-092: an unknown id is 404', async () => {
      const answer = await cancel('nobody');
      assert.equal(answer.statusCode, 404);
      assert.equal(answer.json<{ code: string }>().code, 'TASK_NOT_FOUND');
    });

    it('B-DP-206, B-DP-132, B-DP-133: is acknowledged after the closing error has reached the readers here', async () => {
      const reader = api.ask('GET', '/v2/tasks/t-1/events');
      await called(' frames ');
      const run = api.nodes.run('t-1');
      run.publish({ type: 'token', data: { t: 'kept', i: 0 } });
      // The node's answer overtakes the frames that it sent before, on another connection.
      api.nodes.cancel = () => Promise.resolve({ ...run.view(), state: 'cancelled', ended: true });
      let isAcknowledged = false;
      const answer = cancel().then(({ statusCode }) => {
        isAcknowledged = true;
        return statusCode;
      });
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      assert.equal(isAcknowledged, false);
      const data = new DroverError('CANCELLED', 'the task was cancelled').toEnvelope();
      run.publish({ type: 'error', data });
      assert.equal(await answer, 204);
      const { body } = await reader;
      assert.match(body, /"t":"kept"/, 'what was delivered stays delivered');
      assert.match(body, /event: error\ndata: \{"code":"CANCELLED".*"retriable":false/);
      assert.doesNotMatch(body, /event: (metrics|end)/);
    });

    it('while Temporal is away the node alone ends the task', async () => {
      api.records.down = true;
      assert.equal((await cancel()).statusCode, 204);
      assert.equal(api.nodes.run('t-1').state, 'cancelled');
    });

    it('while the node is away nothing is acknowledged: its tokens could still come', async () => {
      api.nodes.away.add('node-1');
      const answer = await cancel();
      assert.equal(answer.statusCode, 503);
      assert.equal(answer.json<{ code: string }>().code, 'POOL_UNAVAILABLE');
      assert.deepEqual(api.records.cancelled, ['t-1'], 'the record has it all the same');
    });

    for (const headers of [{ 'content-type': 'application/json' }, {}]) {
      it(`takes no body, whatever ${JSON.stringify(headers)} announces`, async () => {
        const answer = await api.ask('POST', '/v2/tasks/t-1/cancel', { headers });
        assert.equal(answer.statusCode, 204);
      });
    }
  });
});
