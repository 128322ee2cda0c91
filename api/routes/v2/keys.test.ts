import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { KeyEntry, KeyMade } from '../../../contracts/key.js';
import { fingerprint } from '../../../security/constant-time.js';
import { NODE_TOKEN, startTestApi, taskBody, type TestApi } from '../../testing/test-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
});
afterEach(() => api.close());

const make = async (role: string, over: object = {}) => {
  const answer = await api.ask('POST', '/v2/keys', { payload: { name: `a ${role}`, role, ...over } });
  assert.equal(answer.statusCode, 201, answer.body);
  return answer.json<KeyMade>();
};
const withKey = (key: string, method: 'GET' | 'POST' | 'DELETE', url: string, payload: object = {}) =>
  api.ask(method, url, { headers: { 'x-api-key': key }, ...(method === 'POST' ? { payload } : {}) });

/** What a client's key may not do. */
const FOR_OPERATORS = [
  ...[
    'POST /v2/pools/x/preload',
    'POST /v2/pools/x/drain',
    'POST /v2/pools/x/reload',
    'POST /v2/pools/x/purge',
  ],
  ...['POST /v2/pools/x/circuit/reset', 'POST /v2/catalog/models', 'DELETE /v2/catalog/models/x'],
  ...['POST /v2/catalog/models/x/verify', 'POST /v2/catalog/models/x/state'],
  ...[
    'POST /v2/registry/beehives/add',
    'GET /v2/registry/beehives/list',
    'POST /v2/registry/beehives/remove',
  ],
  ...['GET /v2/registry/beehives/x', 'PATCH /v2/registry/beehives/x', 'POST /v2/registry/beehives/x/check'],
  ...['GET /v2/registry/beehives/x/events', 'POST /v2/registry/beehives/x/install'],
  ...['POST /v1/models/download', 'POST /v1/models/register', 'POST /v2/catalog/downloads'],
  ...['cancel', 'pause', 'resume'].map((verb) => `POST /v2/catalog/downloads/x/${verb}`),
  ...['GET /v2/health', 'GET /v2/nodes/x/health', 'POST /v2/nodes/x/drain', 'POST /v2/nodes/x/resume'],
  ...[
    'POST /v2/catalog/backup',
    'POST /v2/config/reload',
    'POST /v2/keys',
    'GET /v2/keys',
    'DELETE /v2/keys/x',
  ],
];

test('a key is told once, and kept and listed without itself', async () => {
  const made = await make('client', { rate_limit_per_minute: 60 });
  const { key, ...entry } = made;
  assert.match(key, new RegExp(`^dk-${made.id}-.{43}$`));
  assert.deepEqual([entry.fingerprint, entry.role, entry.name], [fingerprint(key), 'client', 'a client']);
  const listed = (await api.ask('GET', '/v2/keys')).json<{ keys: KeyEntry[] }>();
  assert.deepEqual(listed, { keys: [entry] });
  const rows = JSON.stringify(await api.store.db.selectFrom('api_keys').selectAll().execute());
  assert.equal(
    [rows, JSON.stringify(api.log)].some((text) => text.includes(key)),
    false,
  );
  for (const wrong of [
    {},
    { name: '', role: 'client' },
    { name: 'x', role: 'root' },
    { name: 'a\nb', role: 'client' },
  ])
    assert.equal((await api.ask('POST', '/v2/keys', { payload: wrong })).statusCode, 400);
});

test('a client may submit, read and cancel, and nothing of what operators do', async () => {
  const { key } = await make('client');
  const submitted = await withKey(key, 'POST', '/v2/tasks', taskBody());
  assert.equal(submitted.statusCode, 202);
  const { paths } = api.app.swagger() as { paths: Record<string, Record<string, { security?: unknown[] }>> };
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security }]) => security === undefined)
      .map(([method]) => `${method.toUpperCase()} ${path.replace('{id}', 'x')}`),
  );
  const forbidden: string[] = [];
  for (const request of all) {
    const [method, url] = request.split(' ') as ['GET', string];
    const answer = await withKey(key, method, url);
    if (answer.statusCode !== 403) continue;
    forbidden.push(request);
    const told = answer.json<{ code?: string; error?: { code: string } }>();
    assert.equal(told.error?.code ?? told.code, 'FORBIDDEN_ROLE'); // Under `/v1` in OpenAI's shape.
  }
  assert.deepEqual(forbidden.sort(), FOR_OPERATORS.toSorted());
  assert.deepEqual([api.records.drains, api.records.preloads], [[], []]);
  assert.equal((await withKey(key, 'GET', '/nowhere')).statusCode, 404);
});

test('an operator may do all of it, a node registers workers and nothing else', async () => {
  const [{ key: operator }, { key: node }, { key: client }] = (await Promise.all(
    ['operator', 'node', 'client'].map((role) => make(role)),
  )) as [KeyMade, KeyMade, KeyMade];
  for (const request of FOR_OPERATORS) {
    const [method, url] = request.split(' ') as ['POST', string];
    assert.notEqual((await withKey(operator, method, url)).statusCode, 403, request);
    assert.equal((await withKey(node, method, url)).statusCode, 403, request);
  }
  assert.equal((await withKey(node, 'POST', '/v2/tasks', taskBody())).statusCode, 403);
  const register = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await api.app.inject({ method: 'POST', url: '/v2/workers/register', headers, payload: {} }))
      .statusCode;
  };
  assert.deepEqual(
    await Promise.all([node, NODE_TOKEN, operator, client].map(register)),
    [200, 200, 401, 401],
  );
});

test('a revoked key is refused at once, here and by name; again is the same, and an unknown one is 404', async () => {
  const { key, id } = await make('client');
  assert.equal((await withKey(key, 'GET', '/v2/pools')).statusCode, 200);
  for (let time = 0; time < 2; time += 1)
    assert.equal((await api.ask('DELETE', `/v2/keys/${id}`)).statusCode, 204);
  const answer = await withKey(key, 'GET', '/v2/pools');
  assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [403, 'BAD_API_KEY']);
  const unknown = await api.ask('DELETE', '/v2/keys/nobody');
  assert.deepEqual([unknown.statusCode, unknown.json<{ code: string }>().code], [404, 'KEY_NOT_FOUND']);
  const [listed] = (await api.ask('GET', '/v2/keys')).json<{ keys: KeyEntry[] }>().keys;
  assert.ok(listed?.revoked_ms !== null && listed?.last_used_ms !== null);
});
