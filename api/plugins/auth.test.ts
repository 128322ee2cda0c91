import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KEY, startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

const WITHOUT_KEY = { 'x-api-key': '' };

describe('keys', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  const withBearer = (authorization: string) =>
    api.app.inject({ url: '/v2/pools', headers: { authorization } });

  it('B-MW-011, B-MW-014, B-AUTH-006, B-AUTH-014: without a key a task is refused, with an id and how to send one', async () => {
    const answer = await api.ask('POST', '/v2/tasks', { headers: WITHOUT_KEY, payload: taskBody() });
    assert.equal(answer.statusCode, 401);
    assert.equal(answer.headers['www-authenticate'], 'Bearer');
    const body = answer.json<Record<string, unknown>>();
    assert.equal(body['code'], 'MISSING_TOKEN');
    assert.equal(body['auth_code'], 40_101);
    assert.match(String(body['hint']), /X-API-Key/);
    assert.equal(body['correlation_id'], answer.headers['x-correlation-id']);
    assert.deepEqual(api.nodes.calls, [], 'nothing was done');
  });

  it('B-MW-012: a wrong X-API-Key is forbidden, with an id', async () => {
    const answer = await api.ask('GET', '/v2/pools', { headers: { 'x-api-key': 'wrong' } });
    assert.equal(answer.statusCode, 403);
    assert.equal(answer.json<{ code: string }>().code, 'BAD_API_KEY');
    assert.ok(answer.headers['x-correlation-id']);
  });

  it('B-AUTH-011: a wrong bearer token is told from a missing one', async () => {
    const answer = await withBearer('Bearer wrong-token');
    assert.equal(answer.statusCode, 401);
    const { code, message, auth_code } = answer.json<Record<string, unknown>>();
    assert.deepEqual([code, auth_code], ['BAD_TOKEN', 40_102]);
    assert.doesNotMatch(String(message), /wrong-token/);
  });

  it('B-MW-013, B-MW-020, B-AUTH-001: the right key is taken from either header', async () => {
    assert.equal((await api.ask('GET', '/v2/pools')).statusCode, 200);
    assert.equal((await withBearer(`Bearer ${KEY}`)).statusCode, 200);
  });

  for (const [header, isAccepted] of [
    [`Bearer ${KEY}`, true],
    [`Bearer    ${KEY}`, true],
    [`  Bearer ${KEY}  `, true],
    [`bearer ${KEY}`, false],
    [`BEARER ${KEY}`, false],
    [`Bearer${KEY}`, false],
    [`Bearer\t${KEY}`, false],
    ['Bearer ', false],
    ['Bearer', false],
    [`Basic ${KEY}`, false],
    [`Bearer ${KEY} ${KEY}`, false],
    [`Bearer ${'x'.repeat(9_000)}`, false],
  ] as const) {
    it(`B-AUTH-013: "${header.slice(0, 30)}" is ${isAccepted ? 'a' : 'no'} bearer token`, async () => {
      const answer = await withBearer(header);
      assert.equal(answer.statusCode, isAccepted ? 200 : 401);
      if (!isAccepted) assert.equal(answer.json<{ code: string }>().code, 'MISSING_TOKEN');
    });
  }

  it('B-AUTH-015, B-MW-010: exactly health, readiness and metrics need no key, and an unknown route does', async () => {
    const { paths } = api.app.swagger() as {
      paths: Record<string, Record<string, { security?: unknown[] }>>;
    };
    const keyless = Object.entries(paths).flatMap(([path, methods]) =>
      Object.values(methods).some(({ security }) => security?.length === 0) ? [path] : [],
    );
    assert.deepEqual(keyless.sort(), ['/health', '/healthz', '/metrics', '/readyz']);
    for (const path of keyless) {
      const answer = await api.ask('GET', path, { headers: WITHOUT_KEY });
      assert.equal(answer.statusCode, 200, path);
    }
    for (const [path, methods] of Object.entries(paths).filter(([path]) => !keyless.includes(path))) {
      for (const method of Object.keys(methods)) {
        const url = path.replace('{id}', 'x');
        const answer = await api.ask(method.toUpperCase() as 'GET', url, { headers: WITHOUT_KEY });
        assert.equal(answer.statusCode, 401, `${method} ${path}`);
      }
    }
    assert.equal((await api.ask('GET', '/nowhere', { headers: WITHOUT_KEY })).statusCode, 401);
    assert.equal((await api.ask('POST', '/metrics', { headers: WITHOUT_KEY })).statusCode, 401);
  });

  it('B-AUTH-016, B-AUTH-008, B-AUTH-009, B-SECR-012: the log names callers by fingerprint, never by key', async () => {
    api.log.length = 0;
    await api.ask('GET', '/v2/pools?secret=1', { headers: { 'x-api-key': 'test' } });
    await api.ask('GET', '/v2/pools');
    const failed = api.log.find(({ event }) => event === 'auth_failed');
    assert.equal(failed?.['level'], 'warn');
    assert.equal(failed['identity'], 'token:9f86d0');
    assert.equal(failed['path'], '/v2/pools');
    const passed = api.log.find(({ event }) => event === 'authenticated');
    assert.match(String(passed?.['identity']), /^token:[0-9a-f]{6}$/);
    assert.doesNotMatch(JSON.stringify(api.log), new RegExp(KEY));
  });

  it('B-MW-021, B-AUTH-008: who called is known wherever the request goes, by fingerprint', async () => {
    api.log.length = 0;
    await api.ask('POST', '/v2/tasks', { payload: taskBody({ task_id: 'who-1' }) });
    const admitted = api.log.find(({ event }) => event === 'admitted');
    assert.match(String(admitted?.['identity']), /^token:[0-9a-f]{6}$/);
  });

  it('B-AUTH-017: 50 valid and 50 invalid requests at once each get their own answer', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const headers = { 'x-api-key': index % 2 === 0 ? KEY : `wrong-${index}` };
        return (await api.ask('GET', '/v2/pools', { headers })).statusCode;
      }),
    );
    assert.deepEqual(
      statuses,
      statuses.map((_, index) => (index % 2 === 0 ? 200 : 403)),
    );
  });
});

describe('keys that are optional for this machine', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi({ env: { AUTH_OPTIONAL: 'true' } });
  });
  after(() => api.close());

  const statusFrom = async (remoteAddress: string, headers: Record<string, string> = {}) =>
    (await api.app.inject({ url: '/v2/pools', remoteAddress, headers })).statusCode;

  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    it(`B-AUTH-005, B-MW-022, B-AUTH-008: a program at ${address} is let in, as localhost`, async () => {
      assert.equal(await statusFrom(address), 200);
      const payload = taskBody({ task_id: `local-${address.replaceAll(':', '-')}` });
      const answer = await api.app.inject({
        method: 'POST',
        url: '/v2/tasks',
        payload,
        remoteAddress: address,
      });
      assert.equal(answer.statusCode, 202);
      const admitted = api.log.find(
        (line) => line['event'] === 'admitted' && line['task_id'] === payload['task_id'],
      );
      assert.equal(admitted?.['identity'], 'localhost');
    });
  }

  it('B-AUTH-005: everyone else needs a key', async () => {
    assert.equal(await statusFrom('192.0.2.7'), 401);
    assert.equal(await statusFrom('::ffff:192.0.2.7'), 401);
    assert.equal(await statusFrom('192.0.2.7', { 'x-api-key': KEY }), 200);
  });

  for (const [what, headers] of [
    ['a proxy beside us speaks for others', { 'x-forwarded-for': '192.0.2.7' }],
    ['a proxy says so in the standard header', { forwarded: 'for=192.0.2.7' }],
    ['a page of another origin sent it', { origin: 'https://elsewhere.example' }],
    ['a sandboxed page sent it', { origin: 'null' }],
  ] as const) {
    it(`B-AUTH-005: nor is a caller local when ${what}`, async () => {
      assert.equal(await statusFrom('127.0.0.1', headers), 401);
    });
  }

  it('a page of this machine counts as a program of it', async () => {
    assert.equal(await statusFrom('127.0.0.1', { origin: 'http://localhost:3000' }), 200);
  });

  it('B-MW-012: a wrong key is refused all the same', async () => {
    assert.equal(await statusFrom('127.0.0.1', { 'x-api-key': 'wrong' }), 403);
    assert.equal(await statusFrom('127.0.0.1', { authorization: 'Bearer wrong' }), 401);
  });
});

describe('a proxy that has checked who calls', () => {
  const ask = async (
    trust: string,
    remoteAddress: string,
    headers: Record<string, string>,
    url = '/v2/pools',
  ) => {
    const api = await startTestApi({ env: { TRUST_PROXY_AUTH: trust } });
    const answer = await api.app.inject({ url, remoteAddress, headers });
    await api.close();
    return answer.statusCode;
  };
  const vouched = { authorization: 'Bearer whom-the-proxy-let-in', 'x-forwarded-for': '192.0.2.7' };

  it('B-AUTH-010: is trusted with the Authorization header where it is said so, and only there', async () => {
    assert.equal(await ask('true', '127.0.0.1', vouched), 200);
    assert.equal(await ask('false', '127.0.0.1', vouched), 401);
  });

  it('B-AUTH-010: is one on this machine, has to show something, and makes clients alone', async () => {
    assert.equal(await ask('true', '192.0.2.7', vouched), 401);
    assert.equal(await ask('true', '127.0.0.1', { 'x-forwarded-for': '192.0.2.7' }), 401);
    assert.equal(await ask('true', '127.0.0.1', { 'x-api-key': 'whom-the-proxy-let-in' }), 403);
    assert.equal(await ask('true', '127.0.0.1', vouched, '/v2/keys'), 403);
    assert.equal(await ask('true', '127.0.0.1', { authorization: `Bearer ${KEY}` }, '/v2/keys'), 200);
  });
});

describe('several keys', () => {
  it('B-CFG-012, B-AUTH-012: each of the configured keys is accepted, on every route alike', async () => {
    const api = await startTestApi({ env: { DROVER_API_KEYS: 'first-key, second-key' } });
    for (const key of ['first-key', 'second-key']) {
      const headers = { 'x-api-key': key };
      assert.equal((await api.ask('GET', '/v2/pools', { headers })).statusCode, 200);
      assert.equal((await api.ask('POST', '/v2/tasks', { headers, payload: taskBody() })).statusCode, 202);
      assert.equal((await api.ask('POST', '/v2/pools/a/preload', { headers, payload: {} })).statusCode, 400);
    }
    assert.equal(
      (await api.ask('GET', '/v2/pools', { headers: { 'x-api-key': 'first-key, second-key' } })).statusCode,
      403,
    );
    await api.close();
  });
});
