import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KeyMade } from '../../contracts/key.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

describe('a limit of requests a key', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi({
      env: { DROVER_KEY_RATE_LIMIT: '3', DROVER_API_KEYS: 'one-key,other-key,maker' },
    });
  });
  after(() => api.close());

  const ask = (key: string, url = '/v2/pools') => api.ask('GET', url, { headers: { 'x-api-key': key } });

  it('B-DP-053: refuses what is beyond it as every 429 does, names the limiter, and leaves other keys alone', async () => {
    for (let time = 0; time < 3; time += 1) assert.equal((await ask('one-key')).statusCode, 200);
    const refused = await ask('one-key');
    assert.equal(refused.statusCode, 429);
    const body = refused.json<Record<string, unknown>>();
    const { code, retriable, policy_label, retry_after_ms, correlation_id } = body;
    assert.deepEqual([code, retriable, policy_label], ['RATE_LIMITED', true, 'key-rate-limit']);
    assert.ok(
      Number.isInteger(retry_after_ms) && Number(retry_after_ms) > 0 && Number(retry_after_ms) <= 60_000,
    );
    assert.equal(refused.headers['x-backoff-ms'], String(retry_after_ms));
    assert.equal(
      refused.headers['retry-after'],
      String(Math.max(1, Math.floor(Number(retry_after_ms) / 1000))),
    );
    assert.equal(correlation_id, refused.headers['x-correlation-id']);
    assert.equal((await ask('other-key')).statusCode, 200);
    assert.equal((await ask('one-key', '/healthz')).statusCode, 200);
  });

  it("B-DP-053: takes OpenAI's words where they are spoken", async () => {
    const refused = await ask('one-key', '/v1/models');
    assert.equal(refused.statusCode, 429);
    const { error } = refused.json<{ error: Record<string, unknown> }>();
    assert.deepEqual([error['type'], error['code']], ['rate_limit_error', 'RATE_LIMITED']);
    assert.ok(Number(refused.headers['retry-after-ms']) > 0);
  });

  it('B-DP-053: of the key itself stands above that of the settings, and refuses before anything is done', async () => {
    const payload = { name: 'narrow', role: 'client', rate_limit_per_minute: 1 };
    const made = await api.ask('POST', '/v2/keys', { payload, headers: { 'x-api-key': 'maker' } });
    const headers = { 'x-api-key': made.json<KeyMade>().key };
    const statuses = [];
    for (const task_id of ['t-1', 't-2'])
      statuses.push(
        (await api.ask('POST', '/v2/tasks', { headers, payload: taskBody({ task_id }) })).statusCode,
      );
    assert.deepEqual(statuses, [202, 429]);
    assert.deepEqual([...api.nodes.runs.keys()], ['t-1']);
  });
});

describe('no limit', () => {
  it('B-DP-053: is the default', async () => {
    const api = await startTestApi();
    const answers = await Promise.all(Array.from({ length: 300 }, () => api.ask('GET', '/v2/meta/version')));
    assert.ok(answers.every(({ statusCode }) => statusCode === 200));
    await api.close();
  });
});
