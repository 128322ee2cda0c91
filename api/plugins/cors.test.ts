import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY, startTestApi, type TestApi } from '../testing/test-api.js';

const ORIGIN = 'https://app.example';
const CODEC = { DROVER_CODEC_SECRET: 'the-secret-of-the-codec', DROVER_UI_ORIGIN: 'https://ui.example' };

const preflight = (api: TestApi, origin: string, url = '/v2/tasks') =>
  api.app.inject({
    method: 'OPTIONS',
    url,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,x-correlation-id,content-type',
    },
  });

const allowsNobody = (headers: object) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-')).length === 0;

test('B-CFG-025: without origins no page is told anything', async () => {
  const api = await startTestApi();
  const asked = await preflight(api, ORIGIN);
  assert.equal(asked.statusCode, 401);
  assert.ok(allowsNobody(asked.headers));
  assert.ok(allowsNobody((await api.ask('GET', '/v2/pools', { headers: { origin: ORIGIN } })).headers));
  await api.close();
});

test('B-CFG-025: pages of a named origin may send key and correlation id, and read what came back; others may not', async () => {
  const api = await startTestApi({ env: { DROVER_CORS_ORIGINS: ORIGIN, ...CODEC } });
  const asked = await preflight(api, ORIGIN);
  assert.equal(asked.statusCode, 204);
  assert.equal(asked.headers['access-control-allow-origin'], ORIGIN);
  const allowed = String(asked.headers['access-control-allow-headers']).toLowerCase();
  for (const name of ['x-correlation-id', 'authorization', 'x-api-key', 'content-type', 'last-event-id'])
    assert.ok(allowed.includes(name), name);
  assert.ok(asked.headers['x-correlation-id']);
  const read = await api.ask('GET', '/v2/pools', { headers: { origin: ORIGIN } });
  assert.deepEqual([read.statusCode, read.headers['access-control-allow-origin']], [200, ORIGIN]);
  assert.match(String(read.headers['access-control-expose-headers']), /X-Correlation-Id/);
  const refused = await api.ask('GET', '/v2/pools', { headers: { origin: ORIGIN, 'x-api-key': '' } });
  assert.deepEqual([refused.statusCode, refused.headers['access-control-allow-origin']], [401, ORIGIN]);
  const other = await preflight(api, 'https://elsewhere.example');
  assert.equal(other.headers['access-control-allow-origin'], undefined);
  await api.close();
});

test('the codec endpoint is for the page of its own, whoever else may call the API', async () => {
  const api = await startTestApi({ env: { DROVER_CORS_ORIGINS: ORIGIN, ...CODEC } });
  const url = `/codec/${CODEC.DROVER_CODEC_SECRET}/decode`;
  assert.equal((await preflight(api, ORIGIN, url)).headers['access-control-allow-origin'], undefined);
  const ui = await preflight(api, CODEC.DROVER_UI_ORIGIN, url);
  assert.deepEqual([ui.statusCode, ui.headers['access-control-allow-origin']], [204, CODEC.DROVER_UI_ORIGIN]);
  assert.equal(JSON.stringify(api.log).includes(KEY), false);
  await api.close();
});
