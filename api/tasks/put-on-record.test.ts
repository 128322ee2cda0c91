import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { recordOf } from '../testing/memory-records.js';
import { MemoryRun } from '../testing/memory-nodes.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

describe('a task on its way to the record', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi();
  });
  afterEach(() => api.close());

  const submit = (over: Record<string, unknown> = {}) =>
    api.ask('POST', '/v2/tasks', { payload: taskBody(over) });
  /** Calls to nodes, less what placement asks. */
  const calls = () => api.nodes.calls.filter((call) => !call.endsWith(' pools'));

  describe('when another API process has put the task on record', () => {
    /** Records a task as another API did; its run is as `run` has it. */
    async function recordedElsewhere(over: Record<string, unknown> = {}): Promise<MemoryRun> {
      const other = await startTestApi();
      await other.ask('POST', '/v2/tasks', { payload: taskBody(over) });
      const [start] = other.records.starts;
      assert.ok(start);
      api.records.tasks.set('t-1', recordOf(start));
      await other.close();
      return new MemoryRun('node-1', start.offer);
    }

    it('B-DP-082: the recorded answer is given and the live run is left alone', async () => {
      const run = await recordedElsewhere();
      run.confirmed = true;
      api.nodes.runs.set('t-1', run);
      assert.equal((await submit()).statusCode, 202);
      assert.deepEqual(calls(), ['node-1 offer t-1']);
    });

    it('B-DP-082: a run that is about to be confirmed is waited for, and not withdrawn by the second try', async () => {
      const run = await recordedElsewhere();
      api.nodes.runs.set('t-1', run);
      const answer = submit();
      api.nodes.onCall = (call) => {
        if (call === 'node-1 view t-1') run.confirmed = true;
      };
      assert.equal((await answer).statusCode, 202);
      assert.deepEqual(calls(), ['node-1 offer t-1', 'node-1 view t-1']);
    });

    it('a workflow that still ends as rejected is no acceptance: the task is started anew', async () => {
      api.nodes.runs.set('t-1', await recordedElsewhere());
      const record = api.records.tasks.get('t-1');
      assert.ok(record);
      api.nodes.onCall = (call) => {
        if (call === 'node-1 view t-1') Object.assign(record, { open: false, state: 'rejected' });
      };
      assert.equal((await submit()).statusCode, 202);
      assert.deepEqual(calls(), ['node-1 offer t-1', 'node-1 view t-1', 'node-1 confirm t-1']);
      assert.equal(api.records.tasks.get('t-1')?.open, true);
    });

    it('B-DP-082: the offer of a task that has ended is withdrawn, and its recorded answer given', async () => {
      await recordedElsewhere();
      const record = api.records.tasks.get('t-1');
      assert.ok(record);
      Object.assign(record, { open: false, state: 'completed' });
      assert.equal((await submit()).statusCode, 202);
      assert.deepEqual(calls(), ['node-1 offer t-1', 'node-1 withdraw t-1']);
    });

    it('B-DP-082: an offer at another node than the recorded one is withdrawn', async () => {
      await recordedElsewhere();
      const record = api.records.tasks.get('t-1');
      assert.ok(record);
      record.nodeId = 'node-9';
      assert.equal((await submit()).statusCode, 202);
      assert.deepEqual(calls(), ['node-1 offer t-1', 'node-1 withdraw t-1']);
    });

    it('B-DP-083: another body is a conflict, and its offer is withdrawn', async () => {
      await recordedElsewhere();
      const answer = await submit({ prompt: 'Something else' });
      assert.equal(answer.statusCode, 409);
      assert.deepEqual(calls(), ['node-1 offer t-1', 'node-1 withdraw t-1']);
    });
  });

  describe('when Temporal does not answer', () => {
    it('the offer is withdrawn and the client is told to come again', async () => {
      api.records.down = true;
      const answer = await submit();
      assert.equal(answer.statusCode, 503);
      assert.equal(answer.json<{ code: string }>().code, 'TEMPORAL_UNAVAILABLE');
      assert.equal(answer.headers['retry-after'], '1');
      assert.deepEqual(calls(), ['node-1 offer t-1', 'node-1 withdraw t-1']);
      api.records.down = false;
      assert.equal((await submit()).statusCode, 202);
    });

    it('a try after a lost answer is accepted when the recorded workflow takes up its offer: one run', async () => {
      api.records.loseAnswers = true;
      assert.equal((await submit()).statusCode, 503);
      api.records.loseAnswers = false;
      api.nodes.onCall = (call) => {
        if (call === 'node-1 view t-1') api.nodes.run('t-1').confirmed = true;
      };
      assert.equal((await submit()).statusCode, 202);
      assert.equal(api.records.tasks.size, 1);
      assert.equal(calls().filter((call) => call.includes('withdraw')).length, 1);
    });

    it('a task that was rejected before it began frees its id: the next try runs', async () => {
      api.records.loseAnswers = true;
      assert.equal((await submit()).statusCode, 503);
      api.records.loseAnswers = false;
      const record = api.records.tasks.get('t-1');
      assert.ok(record);
      Object.assign(record, { open: false, state: 'rejected' });
      assert.equal((await submit({ prompt: 'Another text' })).statusCode, 202);
      assert.equal(api.nodes.run('t-1').confirmed, true);
    });

    it('and is known to be away, nothing is offered at all', async () => {
      api.records.away = true;
      const answer = await submit();
      assert.equal(answer.statusCode, 503);
      assert.equal(answer.json<{ code: string }>().code, 'TEMPORAL_UNAVAILABLE');
      assert.deepEqual(api.nodes.calls, []);
    });
  });

  it('a node that is silent at the confirmation stops nothing: the workflow confirms', async () => {
    const confirm = api.nodes.confirm.bind(api.nodes);
    api.nodes.confirm = () => Promise.reject(new DroverError('POOL_UNAVAILABLE', 'away'));
    assert.equal((await submit()).statusCode, 202);
    api.nodes.confirm = confirm;
    assert.ok(api.log.some(({ event }) => event === 'confirm_failed'));
  });

  it('an offer that another try has withdrawn meanwhile is no acceptance, and is not remembered as one', async () => {
    const confirm = api.nodes.confirm.bind(api.nodes);
    api.nodes.confirm = () => Promise.reject(new DroverError('OFFER_WITHDRAWN', 'the offer was withdrawn'));
    assert.equal((await submit()).statusCode, 503);
    api.nodes.confirm = confirm;
    const record = api.records.tasks.get('t-1');
    assert.ok(record);
    Object.assign(record, { open: false, state: 'rejected' });
    assert.equal((await submit()).statusCode, 202);
    assert.equal(
      api.records.starts.length,
      3,
      'the first, the one that found it, the one after the rejection',
    );
  });
});
