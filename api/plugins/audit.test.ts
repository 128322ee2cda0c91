import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { KeyMade } from '../../contracts/key.js';
import { fingerprint } from '../../security/constant-time.js';
import { auditCompletion } from '../tasks/audit-task.js';
import { withCorrelation } from '../../telemetry/correlation.js';
import { KEY, NODE_TOKEN, startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

const ACTOR = `token:${fingerprint(KEY)}`;

let api: TestApi;
let now = 1_000;
beforeEach(async () => {
  api = await startTestApi({ now: () => now, env: { DROVER_CODEC_SECRET: 'the-secret-of-the-codec' } });
});
afterEach(() => api.close());

const events = (type: string) => api.audited.filter(({ event_type }) => event_type === type);
const withId = (id: string) => ({ headers: { 'x-correlation-id': id } });

test('what an operator does is noted when it is asked for and when it is answered, with who, what and how it ended', async () => {
  for (const [event, method, url, payload] of [
    ['pool_preload', 'POST', '/v2/pools/default/preload', undefined],
    ['pool_drain', 'POST', '/v2/pools/default/drain', { deadline_ms: 1 }],
    ['pool_reload', 'POST', '/v2/pools/default/reload', { new_model_ref: 'file:/m.gguf' }],
    ['pool_purge', 'POST', '/v2/pools/default/purge', {}],
    ['circuit_reset', 'POST', '/v2/pools/default/circuit/reset', undefined],
    ['model_saved', 'POST', '/v2/catalog/models', { id: 'tea' }],
    ['model_state_set', 'POST', '/v2/catalog/models/tea/state', { state: 'Retired' }],
    ['model_verified', 'POST', '/v2/catalog/models/tea/verify', undefined],
    ['model_removed', 'DELETE', '/v2/catalog/models/tea', undefined],
  ] as const) {
    const sent = payload === undefined ? {} : { payload };
    const answer = await api.ask(method, url, { ...withId(`by-${event}`), ...sent });
    if (event === 'pool_preload') {
      assert.deepEqual([answer.statusCode, events(event)], [400, []], 'what is no request is no action');
      continue;
    }
    const target = url === '/v2/catalog/models' ? undefined : url.split('/')[url.includes('models') ? 4 : 3];
    const [asked, answered] = events(event);
    assert.deepEqual([asked?.actor, answered?.actor], [ACTOR, ACTOR], event);
    const same = { target, correlation_id: `by-${event}` };
    assert.deepEqual(asked?.details, { ...same, phase: 'asked' });
    const { phase, status, correlation_id, ...rest } = answered!.details;
    assert.deepEqual([phase, status, correlation_id], ['answered', answer.statusCode, `by-${event}`]);
    assert.equal(rest['target'], target);
  }
  assert.equal(events('model_saved')[1]?.details['model_id'], 'tea');
  assert.equal(events('model_state_set')[1]?.details['state'], 'Retired');
});

test('keys that are made and revoked, and workers that register, are noted by id and fingerprint', async () => {
  const payload = { name: 'ci', role: 'client' };
  const { id, key } = (await api.ask('POST', '/v2/keys', { payload })).json<KeyMade>();
  await api.ask('DELETE', `/v2/keys/${id}`);
  const about = { name: 'ci', role: 'client', fingerprint: fingerprint(key) };
  const [, made] = events('key_made');
  const [, revoked] = events('key_revoked');
  for (const [entry, more] of [
    [made, { key_id: id, status: 201 }],
    [revoked, { target: id, status: 204 }],
  ] as const)
    assert.deepEqual({ ...entry?.details, ...about, ...more }, entry?.details);
  const headers = { authorization: `Bearer ${NODE_TOKEN}` };
  await api.app.inject({ method: 'POST', url: '/v2/workers/register', headers, payload: { pool_id: 'p' } });
  const [, registered] = events('worker_registered');
  assert.equal(registered?.actor, `token:${fingerprint(NODE_TOKEN)}`);
  assert.deepEqual([registered.details['pool_id'], registered.details['status']], ['p', 200]);
});

test('B-AUDIT-002: who is let in is noted once an hour, who is not each time, by fingerprint and with the reason', async () => {
  for (let time = 0; time < 3; time += 1) await api.ask('GET', '/v2/pools');
  const [accepted, ...more] = events('auth_success');
  assert.deepEqual([accepted?.actor, accepted?.details['reason'], more], [ACTOR, 'the key is accepted', []]);
  now += 3_600_000;
  await api.ask('GET', '/v2/pools');
  assert.equal(events('auth_success').length, 2);
  await api.ask('GET', '/v2/pools', { headers: { 'x-api-key': 'test', 'x-correlation-id': 'c-1' } });
  await api.ask('GET', '/v2/pools', { headers: { 'x-api-key': '' } });
  await api.app.inject({ url: '/v2/pools', headers: { authorization: 'Bearer test' } });
  await api.app.inject({
    method: 'POST',
    url: '/v2/workers/register',
    headers: { authorization: 'Bearer test' },
  });
  await api.app.inject({ method: 'POST', url: '/codec/not-the-secret/decode', payload: {} });
  const told = events('auth_failure').map(({ actor, details }) => [
    actor,
    details['reason'],
    details['path'],
  ]);
  assert.deepEqual(told, [
    ['token:9f86d0', 'BAD_API_KEY', '/v2/pools'],
    ['unknown', 'MISSING_TOKEN', '/v2/pools'],
    ['token:9f86d0', 'BAD_TOKEN', '/v2/pools'],
    ['token:9f86d0', 'BAD_TOKEN', '/v2/workers/register'],
    ['unknown', 'BAD_CODEC_SECRET', '/codec/:secret/decode'],
  ]);
  assert.equal(events('auth_failure')[0]?.details['correlation_id'], 'c-1');
});

test('B-AUDIT-002: guessers fill the log no faster than 60 entries a minute, and the rest is counted', async () => {
  const guess = () => api.ask('GET', '/v2/pools', { headers: { 'x-api-key': 'wrong' } });
  for (let time = 0; time < 70; time += 1) await guess();
  assert.equal(events('auth_failure').length, 60);
  now += 60_000;
  await guess();
  assert.equal(events('auth_failure').at(-1)?.details['untold_before'], 10);
});

test('B-AUDIT-008: start, assignment and end of a task are under its correlation id', async () => {
  await api.ask('POST', '/v2/tasks', { ...withId('task-1'), payload: taskBody() });
  const events = [
    { type: 'token' as const, data: { t: 'a', i: 0 } },
    { type: 'end' as const, data: { tokens_out: 1, decode_ms: 1, stop_reason: 'length' as const } },
  ];
  withCorrelation('task-1', () => {
    const audit = { record: async (event: (typeof api.audited)[number]) => void api.audited.push(event) };
    auditCompletion(audit, 't-1', { events: events as never });
  });
  const told = api.audited.filter(
    ({ details }) => details['correlation_id'] === 'task-1' && 'task_id' in details,
  );
  assert.deepEqual(
    told.map(({ event_type, actor, details }) => [event_type, actor, details['task_id']]),
    [
      ['task_started', ACTOR, 't-1'],
      ['task_assigned', 'api', 't-1'],
      ['task_completed', 'api', 't-1'],
    ],
  );
  assert.deepEqual([told[1]?.details['node_id'], told[1]?.details['pool_id']], ['node-1', 'default']);
  assert.deepEqual([told[2]?.details['outcome'], told[2]?.details['tokens']], ['completed', 1]);
});

test('B-AUDIT-009: no entry holds a key, a token, a prompt or the secret of a path', async () => {
  const { key } = (
    await api.ask('POST', '/v2/keys', { payload: { name: 'n', role: 'client' } })
  ).json<KeyMade>();
  await api.ask('POST', '/v2/tasks', {
    headers: { 'x-api-key': key },
    payload: taskBody({ prompt: 'a-canary' }),
  });
  await api.ask('GET', `/v2/pools?api_key=${KEY}`, { headers: { 'x-api-key': 'a-wrong-key' } });
  await api.app.inject({ method: 'POST', url: '/codec/a-guessed-secret/decode', payload: {} });
  await api.app.inject({ url: '/nowhere/at-all', headers: { authorization: `Bearer ${NODE_TOKEN}` } });
  const text = JSON.stringify(api.audited);
  assert.ok(api.audited.length > 5);
  for (const secret of [key, KEY, NODE_TOKEN, 'a-wrong-key', 'a-guessed-secret', 'a-canary'])
    assert.equal(text.includes(secret), false, secret);
});
