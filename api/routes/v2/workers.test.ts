import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { settingsSchema } from '../../../contracts/settings.js';
import { fingerprint } from '../../../security/constant-time.js';
import { MemoryNodes } from '../../testing/memory-nodes.js';
import { KEY, NODE_TOKEN, startTestApi, type TestApi } from '../../testing/test-api.js';

const IDENTITY = `token:${fingerprint(NODE_TOKEN)}`;

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi({ env: { AUTH_OPTIONAL: 'true' } });
});
afterEach(() => api.close());

const register = (body: unknown, authorization: string | null = `Bearer ${NODE_TOKEN}`, from = api) =>
  from.ask('POST', '/v2/workers/register', {
    headers: { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) },
    payload: JSON.stringify(body),
  });

test('B-CP-050, B-CP-051, B-CP-052, B-AUTH-004: without the token of the nodes it is 401 with the numeric code, whatever else is sent', async () => {
  for (const [authorization, code, message] of [
    [null, 40101, 'MISSING_TOKEN'],
    [`Basic ${NODE_TOKEN}`, 40101, 'MISSING_TOKEN'],
    ['Bearer ', 40101, 'MISSING_TOKEN'],
    [`Bearer ${NODE_TOKEN}x`, 40102, 'BAD_TOKEN'],
    [`Bearer ${NODE_TOKEN.slice(1)}`, 40102, 'BAD_TOKEN'],
    // A client's key is none, nor does a place on this machine help.
    [`Bearer ${KEY}`, 40102, 'BAD_TOKEN'],
  ] as const) {
    const answer = await register({}, authorization);
    assert.equal(answer.statusCode, 401);
    const { correlation_id, ...body } = answer.json<Record<string, unknown>>();
    assert.deepEqual(body, { code, message, error_code: message });
    assert.equal(correlation_id, answer.headers['x-correlation-id']);
    assert.equal(answer.headers['www-authenticate'], 'Bearer');
  }
  assert.deepEqual(api.nodes.announced, []);
  assert.equal(JSON.stringify(api.log).includes(NODE_TOKEN), false);
});

test('B-CP-054, B-CP-055, B-CP-056, B-CP-058: 200 says who it is, "default" and "r0" where nothing else is said, and the log too', async () => {
  const answer = await register({});
  assert.equal(answer.statusCode, 200);
  const expected = { ok: true, identity: IDENTITY, pool_id: 'default', replica_id: 'r0', bound: false };
  assert.deepEqual(answer.json(), expected);
  const line = api.log.find(({ event }) => event === 'worker_register');
  assert.deepEqual([line?.['identity'], line?.['level']], [IDENTITY, 'info']);
  const named = await register({ pool_id: 'p', replica_id: 'r7' });
  assert.deepEqual(named.json(), { ...expected, pool_id: 'p', replica_id: 'r7' });
});

test('B-CP-059, B-CP-060: with a url its node is told, each time again, and the answer is the same', async () => {
  const body = {
    pool_id: 'p',
    url: 'http://127.0.0.1:9',
    engine: 'vllm',
    engine_version: 'v1',
    slots_total: 3,
  };
  const first = await register({ ...body, model_ref: 'theirs' });
  assert.deepEqual(first.json(), {
    ok: true,
    identity: IDENTITY,
    pool_id: 'p',
    replica_id: 'r0',
    bound: true,
  });
  assert.deepEqual((await register({ ...body, model_ref: 'theirs' })).json(), first.json());
  const told = { ...body, replica_id: 'r0', model: { id: 'theirs' } };
  assert.deepEqual(api.nodes.announced, [told, told]);
});

test('B-WRK-006: a worker that is registered with a URL without scheme, host or port is refused, and no node is told', async () => {
  for (const url of ['ftp://h:1', 'x', '', 'http://h', 'http://:80', 'https://h:0']) {
    const answer = await register({ url });
    const { code, details } = answer.json<{ code: string; details: object }>();
    assert.deepEqual([url, answer.statusCode, code], [url, 400, 'INVALID_WORKER_URL']);
    assert.deepEqual(details, { worker_id: 'node-1:default:r0' });
  }
  assert.deepEqual(api.nodes.announced, []);
});

test('B-CP-060: what cannot be bound is refused by name', async () => {
  for (const body of [{ slots_total: 0 }, { engine: 'mine' }, { pool_id: '../x' }]) {
    const answer = await register(body);
    assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [400, 'INVALID_PARAMS']);
  }
  const two = await startTestApi({ nodes: new MemoryNodes(['node-1', 'node-2']) });
  for (const [body, status] of [
    [{}, 400],
    [{ node_id: 'node-3' }, 400],
    [{ node_id: 'node-2' }, 200],
  ] as const) {
    assert.equal((await register(body, undefined, two)).statusCode, status);
  }
  await two.close();
  api.nodes.away.add('node-1');
  assert.equal((await register({ url: 'http://127.0.0.1:9' })).statusCode, 503);
});

test('B-CP-057: a registration alone binds nothing, and no setting makes it so', async () => {
  const pools = async () => (await api.ask('GET', '/v2/pools')).body;
  const before = await pools();
  assert.equal((await register({ pool_id: 'mock' })).json<{ bound: boolean }>().bound, false);
  assert.deepEqual(api.nodes.announced, []);
  assert.equal(await pools(), before);
  const settings = Object.keys(settingsSchema.shape);
  assert.deepEqual(
    settings.filter((name) => /mock|fake|stub/i.test(name)),
    [],
  );
});
