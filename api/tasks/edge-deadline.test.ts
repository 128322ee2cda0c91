import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');

describe('the deadline of a task', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi({ now: () => NOW });
  });
  afterEach(() => api.close());

  const ask = (header?: string, over: Record<string, unknown> = {}) =>
    api.ask('POST', '/v2/tasks', {
      payload: taskBody(over),
      headers: header === undefined ? {} : { 'x-request-deadline': header },
    });
  const deadline = () => api.nodes.run('t-1').offer.deadline_at_ms;
  const warnings = () => api.log.filter(({ level }) => level === 'warn').map(({ event }) => event);

  it('B-DEAD-001: is one instant from where the request came in, on the node and on record', async () => {
    assert.equal((await ask()).statusCode, 202);
    assert.equal(deadline(), NOW + 60_000);
    assert.deepEqual(
      api.records.starts.map(({ offer }) => offer.deadline_at_ms),
      [NOW + 60_000],
    );
    assert.deepEqual(warnings(), []);
  });

  it('B-DEAD-007: is not put off by a header, which the log warns of', async () => {
    assert.equal((await ask('2026-03-01T12:30:00Z')).statusCode, 202);
    assert.equal(deadline(), NOW + 60_000);
    assert.deepEqual(warnings(), ['deadline_header_ignored']);
  });

  it('B-DEAD-003: is that of whoever asks on behalf of somebody, where that is earlier', async () => {
    assert.equal((await ask('2026-03-01T12:00:10.500Z')).statusCode, 202);
    assert.equal(deadline(), NOW + 10_500);
    assert.deepEqual(warnings(), []);
  });

  it('is refused where it has passed, or is no instant', async () => {
    for (const [header, code] of [
      ['2026-03-01T11:59:59Z', 'DEADLINE_UNMET'],
      ['tomorrow', 'INVALID_PARAMS'],
    ] as const) {
      const answer = await ask(header);
      assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [400, code]);
    }
    assert.equal(api.nodes.runs.size, 0);
  });

  it('B-DEAD-001: is fixed the same for clients in the words of OpenAI', async () => {
    const payload = { model: 'demo', messages: [{ role: 'user', content: 'hi' }], stream: true };
    const headers = { 'x-request-deadline': '2026-03-01T12:00:07Z' };
    // Awaited in here: an injected request begins when somebody waits for it.
    const asked = (async () => await api.ask('POST', '/v1/chat/completions', { payload, headers }))();
    const run = await eventually(
      () => 'no confirmed run',
      () => [...api.nodes.runs.values()].find(({ confirmed }) => confirmed),
    );
    assert.equal(run.offer.deadline_at_ms, NOW + 7_000);
    run.publish({
      type: 'end',
      data: { tokens_out: 0, tokens_in: 1, decode_time_ms: 1, decode_ms: 1, stop_reason: 'EOS' },
    });
    await asked;
  });
});
