import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { DroverError } from '../../../contracts/errors.js';
import { readSettings } from '../../../contracts/settings.js';
import { sessionView, type SessionView } from '../../../contracts/session.js';
import { eventually } from '../../../testing/changes.js';
import { startTestApi, taskBody, type TestApi } from '../../testing/test-api.js';

const METRICS = { queue_depth: 0, on_time_probability: 1, kv_warmth: true, tokens_out: 1 };
const NO_BUDGETS = {
  tokens_budget_remaining: null,
  time_budget_remaining_ms: null,
  cost_budget_remaining: null,
};

describe('sessions', () => {
  let api: TestApi;
  let clockMs: number;
  const start = async (env: Record<string, string> = {}) =>
    startTestApi({ env: { DROVER_SESSION_TURN_LIMIT: '8', ...env }, now: () => clockMs });
  beforeEach(async () => {
    clockMs = 1_700_000_000_000;
    api = await start();
  });
  afterEach(() => api.close());

  const read = async (id = 's-1') => {
    const answer = await api.ask('GET', `/v2/sessions/${id}`);
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json<SessionView>();
  };
  const submit = (task_id: string, over: Record<string, unknown> = {}) =>
    api.ask('POST', '/v2/tasks', { payload: taskBody({ task_id, ...over }) });
  const accepted = async (task_id: string) => assert.equal((await submit(task_id)).statusCode, 202);

  it('B-SS-001, B-SS-002, B-SS-003, B-SS-004, B-SS-024: one that nobody knows is made, with these figures', async () => {
    const answer = await api.ask('GET', '/v2/sessions/new');
    assert.match(String(answer.headers['content-type']), /^application\/json/);
    assert.deepEqual(sessionView.strict().parse(answer.json()), {
      ttl_ms_remaining: 600_000,
      turns: 0,
      kv_bytes: 0,
      kv_warmth: false,
      tokens_budget_remaining: null,
      time_budget_remaining_ms: 600_000,
      cost_budget_remaining: null,
    });
    assert.equal((await api.ask('GET', '/v2/sessions/new?create=false')).statusCode, 200);
  });

  it('C-081: with create=false one that is not there is 404, and is not made', async () => {
    for (let time = 0; time < 2; time += 1) {
      const { statusCode, json } = await api.ask('GET', '/v2/sessions/new?create=false');
      assert.deepEqual([statusCode, json<{ code: string }>().code], [404, 'SESSION_NOT_FOUND']);
    }
  });

  it('B-SS-021, C-082: its time counts down from its last task, and at the end it is gone', async () => {
    await accepted('t-1');
    clockMs += 599_000;
    assert.deepEqual([(await read()).ttl_ms_remaining, (await read()).turns], [1_000, 1]);
    await accepted('t-2');
    assert.deepEqual([(await read()).ttl_ms_remaining, (await read()).turns], [600_000, 2]);
    clockMs += 600_000;
    assert.deepEqual([(await read()).ttl_ms_remaining, (await read()).turns], [600_000, 0]);
  });

  it('B-SS-010, B-SS-011, B-SS-012: deleting it is 204 with the id of the request, whether it was there or not', async () => {
    await accepted('t-1');
    for (let time = 0; time < 2; time += 1) {
      const headers = { 'x-correlation-id': 'follow-me' };
      const answer = await api.ask('DELETE', '/v2/sessions/s-1', { headers });
      assert.deepEqual([answer.statusCode, answer.body], [204, '']);
      assert.equal(answer.headers['x-correlation-id'], 'follow-me');
    }
    assert.equal((await api.ask('GET', '/v2/sessions/s-1?create=false')).statusCode, 404);
    assert.equal((await read()).turns, 0);
  });

  it('B-SS-020, B-SS-022, B-DP-085: a task makes the session it names and takes one turn, again none', async () => {
    await accepted('t-1');
    await accepted('t-1');
    assert.equal((await api.ask('GET', '/v2/sessions/s-1?create=false')).json<SessionView>().turns, 1);
    await accepted('t-2');
    assert.equal((await read()).turns, 2);
    assert.equal((await read('s-2')).turns, 0);
  });

  it('B-SS-022, B-DP-085: a task that is refused, or was accepted elsewhere, takes no turn', async () => {
    api.nodes.refusal = new DroverError('ADMISSION_REJECT', 'full');
    assert.equal((await submit('t-1')).statusCode, 429);
    assert.equal((await submit('t-2', { model_ref: 'unknown' })).statusCode, 404);
    assert.equal((await read()).turns, 0);
    api.nodes.refusal = undefined;
    await accepted('t-3');
    const { nodes, records, store } = api;
    const other = await startTestApi({ nodes, records, store, now: () => clockMs });
    const payload = taskBody({ task_id: 't-3' });
    assert.equal((await other.ask('POST', '/v2/tasks', { payload })).statusCode, 202);
    assert.equal((await read()).turns, 1);
    await api.ask('DELETE', '/v2/sessions/s-1');
    const third = await startTestApi({ nodes, records, store, now: () => clockMs });
    assert.equal((await third.ask('POST', '/v2/tasks', { payload })).statusCode, 202);
    assert.equal((await read()).turns, 0);
    await Promise.all([other.close(), third.close()]);
  });

  it('B-SS-025: after eight turns the next task is refused by the name of the limit, and offered nowhere', async () => {
    for (let turn = 1; turn <= 8; turn += 1) await accepted(`t-${turn}`);
    const offers = () => api.nodes.calls.filter((call) => call.includes(' offer ')).length;
    const before = offers();
    const refused = await submit('t-9');
    const { code, message, details } = refused.json<{
      code: string;
      message: string;
      details: { field: string }[];
    }>();
    assert.deepEqual([refused.statusCode, code, details[0]?.field], [400, 'INVALID_PARAMS', 'session_id']);
    assert.match(message, /turn limit of 8/);
    assert.equal(offers(), before);
    await accepted('t-8');
    assert.equal((await read()).turns, 8);
    assert.equal((await submit('t-9', { session_id: 's-2' })).statusCode, 202);
    await api.ask('DELETE', '/v2/sessions/s-1');
    await accepted('t-10');
  });

  it('B-SS-025: the limit is a setting, and 0 is none', async () => {
    await api.close();
    api = await start({ DROVER_SESSION_TURN_LIMIT: '1' });
    await accepted('t-1');
    assert.match((await submit('t-2')).json<{ message: string }>().message, /turn limit of 1/);
    await api.close();
    api = await start({ DROVER_SESSION_TURN_LIMIT: '0' });
    for (let turn = 1; turn <= 9; turn += 1) await accepted(`t-${turn}`);
    assert.equal((await read()).turns, 9);
  });

  it('B-SS-027: it is warm from the first token of a stream on', async () => {
    await accepted('t-1');
    const stream = api.ask('GET', '/v2/tasks/t-1/events');
    const run = api.nodes.run('t-1');
    run.publish({ type: 'metrics', data: { ...METRICS, ...NO_BUDGETS } });
    assert.equal((await read()).kv_warmth, false);
    run.publish({ type: 'token', data: { t: 'a', i: 0 } });
    await eventually(
      () => 'the session to be warm',
      async () => (await read()).kv_warmth || undefined,
    );
    const end = { tokens_out: 1, tokens_in: 1, decode_time_ms: 1, decode_ms: 1, stop_reason: 'EOS' as const };
    run.publish({ type: 'end', data: end });
    await stream;
  });

  const ended = (task_id: string, tokens_out: number, decode_time_ms: number) => {
    const end = { tokens_out, tokens_in: 1, decode_time_ms, decode_ms: decode_time_ms };
    const data = { ...end, stop_reason: 'EOS' as const };
    return api.sessionBook.ended(task_id, { events: [{ type: 'end', data }] });
  };
  const restart = async (env: Record<string, string>) => {
    await api.close();
    api = await start(env);
  };
  const refused = async (task_id: string, over: Record<string, unknown> = {}) => {
    const answer = await submit(task_id, over);
    const { code, details } = answer.json<{ code: string; details: { field: string }[] }>();
    assert.deepEqual([answer.statusCode, code], [400, 'INVALID_PARAMS']);
    assert.ok(!api.nodes.calls.includes(`node-1 offer ${task_id}`));
    return details.map(({ field }) => field);
  };

  it('B-DP-092: a task that may put out more than is left is refused, also for what others may put out, and not queued', async () => {
    await restart({ DROVER_SESSION_TOKENS_BUDGET: '20' });
    assert.deepEqual(await refused('t-1', { max_tokens: 21 }), ['max_tokens']);
    assert.deepEqual(await refused('t-1', { max_tokens: 21, session_id: 't-1' }), ['max_tokens']);
    assert.deepEqual(await refused('t-1', { max_tokens: 30, expected_tokens: 25 }), ['expected_tokens']);
    assert.equal((await submit('t-1', { max_tokens: 15 })).statusCode, 202);
    assert.deepEqual(await refused('t-2', { max_tokens: 6 }), ['max_tokens']);
    assert.equal((await submit('t-3', { max_tokens: 30, expected_tokens: 5 })).statusCode, 202);
    assert.equal((await read()).turns, 2);
  });

  it('B-DP-093: the end of a task charges its session for tokens, time and cost, once', async () => {
    const budgets = { DROVER_SESSION_TOKENS_BUDGET: '100', DROVER_SESSION_COST_BUDGET: '1' };
    await restart({ ...budgets, DROVER_TOKEN_PRICE: '0.0078125' });
    await accepted('t-1');
    for (let time = 0; time < 2; time += 1) await ended('t-1', 32, 1_500);
    const { tokens_budget_remaining, time_budget_remaining_ms, cost_budget_remaining } = await read();
    assert.deepEqual(
      [tokens_budget_remaining, time_budget_remaining_ms, cost_budget_remaining],
      [68, 598_500, 0.75],
    );
    await accepted('t-2');
    const token = (i: number) => ({ type: 'token' as const, data: { t: 'a', i } });
    await api.sessionBook.ended('t-2', { events: [token(0), token(1)] });
    assert.equal((await read()).tokens_budget_remaining, 66);
    // What only reads is charged for that, to its end or not.
    const answer = (tokens_in: number) => ({
      type: 'token' as const,
      data: { t: '', i: 0, embedding: 'AACAPw==', tokens_in },
    });
    await accepted('t-3');
    await api.sessionBook.ended('t-3', { events: [answer(4), answer(6)] });
    assert.equal((await read()).tokens_budget_remaining, 60);
    const end = {
      tokens_out: 0,
      tokens_in: 10,
      decode_time_ms: 1,
      decode_ms: 1,
      stop_reason: 'EOS' as const,
    };
    await accepted('t-4');
    await api.sessionBook.ended('t-4', { events: [answer(10), { type: 'end', data: end }] });
    assert.equal((await read()).tokens_budget_remaining, 50);
    assert.equal(readSettings({}).DROVER_TOKEN_PRICE, 0.000002);
  });

  it('B-DP-025, B-DP-103, C-080: admission and stream tell what the session of the task has left', async () => {
    await restart({
      DROVER_SESSION_TOKENS_BUDGET: '100',
      DROVER_SESSION_COST_BUDGET: '1',
      DROVER_TOKEN_PRICE: '0',
    });
    await accepted('t-1');
    await ended('t-1', 32, 1_500);
    const told = (headers: Record<string, unknown>) =>
      ['tokens-remaining', 'time-remaining-ms', 'cost-remaining'].map((name) => headers[`x-budget-${name}`]);
    assert.deepEqual(told((await submit('t-2')).headers), ['68', '598500', '1']);
    const data = { code: 'CANCELLED' as const, message: 'cancelled', retriable: false };
    api.nodes.run('t-2').publish({ type: 'error', data });
    assert.deepEqual(told((await api.ask('GET', '/v2/tasks/t-2/events')).headers), ['68', '598500', '1']);
    assert.deepEqual(told((await submit('own', { session_id: 'own' })).headers), ['100', '600000', '1']);
  });

  it('B-DP-095: a spent budget refuses the next task until the session is deleted or expires', async () => {
    await restart({ DROVER_SESSION_TIME_BUDGET_MS: '1000' });
    await accepted('t-1');
    await ended('t-1', 3, 1_000);
    assert.deepEqual(await refused('t-2'), ['session_id']);
    clockMs += 599_999;
    assert.deepEqual(await refused('t-2'), ['session_id']);
    clockMs += 1;
    await accepted('t-3');
    await ended('t-3', 3, 2_000);
    assert.deepEqual(await refused('t-4'), ['session_id']);
    assert.equal((await read()).time_budget_remaining_ms, 0);
    await api.ask('DELETE', '/v2/sessions/s-1');
    await accepted('t-5');
  });
});

it('B-SS-028: a session that lasts longer than ten minutes is no setting', () => {
  assert.throws(() => readSettings({ DROVER_SESSION_TTL_MS: '600001' }), /DROVER_SESSION_TTL_MS/);
  assert.equal(readSettings({ DROVER_SESSION_TTL_MS: '600000' }).DROVER_SESSION_TTL_MS, 600_000);
});
