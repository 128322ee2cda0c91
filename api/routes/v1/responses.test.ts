import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { FrameBody } from '../../../contracts/events.js';
import type { ResponseObject } from '../../../contracts/responses.js';
import { eventually } from '../../../testing/changes.js';
import type { MemoryRun } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const STARTED: FrameBody = {
  type: 'started',
  data: {
    ...{ queue_position: 0, predicted_start_ms: 0, task_id: 't', engine: 'llamacpp', pool_id: 'default' },
    ...{ replica_id: 'r0', model_ref: 'demo', correlation_id: 'c', admitted_at_ms: 1_000 },
  },
};
const END: FrameBody = {
  type: 'end',
  data: { tokens_out: 1, tokens_in: 1, decode_time_ms: 1, decode_ms: 1, stop_reason: 'EOS' },
};
const said = (t: string): FrameBody[] => [STARTED, { type: 'token', data: { t, i: 0 } }, END];

describe('a response', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi();
  });
  afterEach(() => api.close());

  const ask = (more: object = {}) =>
    api.ask('POST', '/v1/responses', { payload: { model: 'demo', input: 'Hello', ...more } });
  const see = async (id: string) => (await api.ask('GET', `/v1/responses/${id}`)).json<ResponseObject>();
  const runOf = ({ id }: { id: string }) => api.nodes.run(id.replace('resp_', ''));
  const begin = async (more: object = {}) => {
    const response = (await ask({ background: true, ...more })).json<ResponseObject>();
    return { response, run: runOf(response) };
  };
  const confirmedRun = () =>
    eventually(
      () => 'no confirmed run',
      () => [...api.nodes.runs.values()].find((run) => run.confirmed),
    );
  const textIn = ([item]: ResponseObject['output']) =>
    item?.type === 'message' ? item.content[0]?.text : undefined;
  const finish = (run: MemoryRun, text = 'Hi') => {
    run.state = 'completed';
    run.publish(...said(text));
  };

  it('in the background is answered as soon as it is accepted, and stands as its task does', async () => {
    const { response, run } = await begin();
    assert.deepEqual([response.status, response.created_at, response.output], ['queued', 1, []]);
    assert.ok(run.confirmed);
    run.state = 'executing';
    assert.equal((await see(response.id)).status, 'in_progress');
    finish(run);
    const { status, output, usage } = await see(response.id);
    assert.deepEqual([status, textIn(output), usage?.total_tokens], ['completed', 'Hi', 2]);
    assert.equal(run.offer.request.cancel_on_disconnect, false);
  });

  it('that is only looked at has had no reader who could leave', async () => {
    const { response, run } = await begin();
    await see(response.id);
    finish(run);
    await see(response.id);
    assert.ok(!api.nodes.calls.some((call) => call.includes('abandon')));
  });

  it('is streamed from admission on: its id is told before it has a slot', async () => {
    const answer = api.app.inject({
      method: 'POST',
      url: '/v1/responses',
      headers: { 'x-api-key': 'key-of-the-tests' },
      payload: { model: 'demo', input: 'Hello', stream: true },
      payloadAsStream: true,
    });
    const run = await confirmedRun();
    let text = '';
    for await (const chunk of (await answer).stream()) {
      text += String(chunk);
      if (run.frames.length > 0) continue;
      assert.match(text, new RegExp(`^id: 0\nevent: response.created\n.*"id":"resp_${run.offer.task_id}"`));
      finish(run);
    }
    assert.equal(text.match(/event: response.created/g)?.length, 1);
    assert.match(text, /event: response.completed\n.*\n\n$/);
  });

  it('goes on after the number of an event, and after its id', async () => {
    const { response, run } = await begin();
    finish(run);
    const path = `/v1/responses/${response.id}?stream=true`;
    const whole = (await api.ask('GET', path)).body;
    const rest = whole.split('\n\n').slice(5).join('\n\n');
    assert.equal((await api.ask('GET', `${path}&starting_after=4`)).body, rest);
    const byId = await api.ask('GET', path, { headers: { 'last-event-id': '0.4' } });
    assert.equal(byId.body, rest);
  });

  it('in the background is cancelled, as often as one likes', async () => {
    const { response } = await begin();
    for (const _time of [1, 2]) {
      const answer = await api.ask('POST', `/v1/responses/${response.id}/cancel`);
      assert.deepEqual([answer.statusCode, answer.json<ResponseObject>().status], [200, 'cancelled']);
    }
    assert.equal(api.nodes.calls.filter((call) => call.includes(' cancel ')).length, 1);
  });

  it('that its caller waits for is not cancelled by its id', async () => {
    const answer = ask();
    const run = await confirmedRun();
    const cancel = await api.ask('POST', `/v1/responses/resp_${run.offer.task_id}/cancel`);
    assert.equal(cancel.statusCode, 400);
    finish(run);
    assert.equal((await answer).json<ResponseObject>().status, 'completed');
  });

  it('is no chat, and no chat is a response', async () => {
    const { response } = await begin();
    const chat = await api.ask('GET', `/v1/chat/completions/${response.id}`);
    assert.equal(chat.statusCode, 404);
    assert.equal((await api.ask('GET', '/v1/responses/resp_never')).statusCode, 404);
    assert.equal((await api.ask('POST', '/v1/responses/resp_never/cancel')).statusCode, 404);
  });

  it('takes the message of an earlier response by its id, once that has ended', async () => {
    const { response, run } = await begin();
    const item = { type: 'item_reference', id: response.id.replace('resp_', 'msg_') };
    const input = [{ role: 'user', content: 'Hello' }, item, { role: 'user', content: 'And?' }];
    const early = await ask({ input });
    assert.equal(early.statusCode, 400);
    assert.match(early.body, /has not ended yet/);
    finish(run, 'Hi there');
    const next = await begin({ input });
    assert.deepEqual(next.run.offer.input, {
      kind: 'chat',
      messages: [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Hi there' },
        { role: 'user', content: 'And?' },
      ],
    });
    const unknown = await ask({ input: [{ type: 'item_reference', id: 'msg_never' }] });
    assert.deepEqual(
      [unknown.statusCode, unknown.json<{ error: { param: string } }>().error.param],
      [400, 'input'],
    );
  });
});
