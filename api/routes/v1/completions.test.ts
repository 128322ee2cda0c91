import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { FrameBody } from '../../../contracts/events.js';
import { eventually } from '../../../testing/changes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const CHAT = { model: 'demo', messages: [{ role: 'user', content: 'Hello' }] };

const endAfter = (tokens_out: number): FrameBody => ({
  type: 'end',
  data: { tokens_out, tokens_in: 1, decode_time_ms: 1, decode_ms: 1, stop_reason: 'EOS' },
});

describe('a completion on its way to the record', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi();
  });
  afterEach(() => api.close());

  // Awaited in here: an injected request begins when somebody waits for it.
  const chat = async () => await api.ask('POST', '/v1/chat/completions', { payload: CHAT });
  const confirmedRun = () =>
    eventually(
      () => 'no confirmed run',
      () => [...api.nodes.runs.values()].find((run) => run.confirmed),
    );
  const steps = () => api.nodes.calls.map((call) => call.split(' ')[1]).filter((step) => step !== 'pools');

  it('asks for its frames before it is on record, so that the first token waits for the confirmation alone', async () => {
    const answer = chat();
    const run = await confirmedRun();
    run.publish({ type: 'token', data: { t: 'Hi', i: 0 } });
    run.publish(endAfter(1));
    const { statusCode, body, headers } = await answer;
    assert.equal(statusCode, 200);
    assert.match(body, /"content":"Hi"/);
    // By it a client finds the task on `/v2`.
    assert.ok(body.includes(`"chatcmpl-${String(headers['x-task-id'])}"`), body);
    assert.deepEqual(steps(), ['offer', 'frames', 'confirm']);
  });

  it('that is resumed while its node is away may be asked for again: it is not said never to have been', async () => {
    const answer = chat();
    const run = await confirmedRun();
    run.publish(endAfter(0));
    const { id } = (await answer).json<{ id: string }>();
    const resume = (completion: string) =>
      api.ask('GET', `/v1/chat/completions/${completion}?stream=true`, { headers: { 'last-event-id': '0' } });
    api.nodes.away.add('node-1');
    const { statusCode, body } = await resume(id);
    assert.equal(statusCode, 503);
    assert.match(body, /POOL_UNAVAILABLE/);
    api.nodes.away.clear();
    assert.equal((await resume('chatcmpl-never')).statusCode, 404);
  });

  it('is no completion of the other kind: there it is not known, streamed or whole', async () => {
    const answer = chat();
    const run = await confirmedRun();
    run.publish(endAfter(0));
    const { id } = (await answer).json<{ id: string }>();
    assert.equal((await api.ask('GET', `/v1/chat/completions/${id}`)).statusCode, 200);
    for (const stream of ['true', 'false']) {
      const { statusCode, body } = await api.ask('GET', `/v1/completions/${id}?stream=${stream}`);
      assert.equal(statusCode, 404);
      assert.match(body, /TASK_NOT_FOUND/);
    }
  });

  it('that does not get there is refused, and its frames are let go', async () => {
    api.records.down = true;
    const { statusCode, body } = await chat();
    assert.equal(statusCode, 503);
    assert.match(body, /TEMPORAL_UNAVAILABLE/);
    assert.deepEqual(steps(), ['offer', 'frames', 'withdraw']);
    await eventually(
      () => 'an open tail',
      () => api.nodes.openTails === 0 || undefined,
    );
  });

  it('whose frames could not be had early is served all the same', async () => {
    let refusals = 1;
    api.nodes.onCall = (call) => {
      if (call.includes('frames') && refusals-- > 0) api.nodes.away.add('node-1');
      else api.nodes.away.clear();
    };
    const answer = chat();
    const run = await confirmedRun();
    run.publish(endAfter(0));
    assert.equal((await answer).statusCode, 200);
  });
});
