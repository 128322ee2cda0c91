import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startTestApi } from '../testing/test-api.js';
import { isLoopback } from '../../security/loopback.js';

describe('the name that a request asks for', () => {
  for (const [bind, host, status] of [
    ['127.0.0.1', 'localhost:8080', 200],
    ['127.0.0.1', '127.0.0.1', 200],
    ['127.0.0.1', '[::1]:8080', 200],
    ['127.0.0.1', 'LOCALHOST:8080', 200],
    ['127.0.0.2', '127.0.0.2:8080', 200],
    ['127.0.0.1', 'evil.example', 403],
    ['127.0.0.1', 'evil.example:8080', 403],
    ['127.0.0.1', 'localhost.evil.example', 403],
    ['::1', 'evil.example', 403],
    ['0.0.0.0', 'drover.example', 200],
  ] as const) {
    it(`bound to ${bind}, a request for ${host} is answered ${status}`, async () => {
      const api = await startTestApi({ env: { DROVER_API_HOST: bind } });
      const answer = await api.ask('GET', '/v2/pools', { headers: { host } });
      assert.equal(answer.statusCode, status);
      if (status === 403) assert.equal(answer.json<{ code: string }>().code, 'FORBIDDEN_HOST');
      await api.close();
    });
  }

  it('a foreign page gets nothing from a loopback API, not even its health or metrics', async () => {
    const api = await startTestApi();
    for (const url of ['/healthz', '/readyz', '/metrics', '/nowhere']) {
      assert.equal((await api.ask('GET', url, { headers: { host: 'evil.example' } })).statusCode, 403, url);
    }
    await api.close();
  });

  it('knows the addresses that only this machine reaches', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '::1', '[::1]'])
      assert.ok(isLoopback(host), host);
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.example', '']) assert.ok(!isLoopback(host), host);
  });
});

describe('headers for browsers', () => {
  it('stand on answers and refusals alike', async () => {
    const api = await startTestApi();
    for (const answer of [await api.ask('GET', '/v2/pools'), await api.ask('GET', '/nowhere')]) {
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/);
    }
    await api.close();
  });
});
