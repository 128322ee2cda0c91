import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { DroverError } from '../../contracts/errors.js';
import { taskAccepted } from '../../contracts/task.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';
import { digestOf, textTask } from './admit-task.js';
import { checkTask } from './check-task.js';

describe('POST /v2/tasks', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi();
  });
  afterEach(() => api.close());

  const submit = (over: Record<string, unknown> = {}) =>
    api.ask('POST', '/v2/tasks', { payload: taskBody(over) });
  /** Calls to nodes, less what placement asks. */
  const calls = () => api.nodes.calls.filter((call) => !call.endsWith(' pools'));

  it('B-DP-024, B-DP-015, B-DP-021, B-DP-022, B-DP-081: answers with the place, the estimate and the streams', async () => {
    const answer = await submit();
    assert.equal(answer.statusCode, 202);
    assert.deepEqual(taskAccepted.strict().parse(answer.json()), {
      task_id: 't-1',
      queue_position: 3,
      predicted_start_ms: 300,
      backoff_ms: 0,
      preparation: { steps: [] },
      streams: { sse: '/v2/tasks/t-1/events', sse_verbose: '/v2/tasks/t-1/events?verbose=true' },
    });
  });

  it('B-DP-025, B-DP-090, B-DP-091: says in all three headers what the session has left, and where no budget is set', async () => {
    const { headers } = await submit();
    const told = ['tokens-remaining', 'time-remaining-ms', 'cost-remaining'].map(
      (name) => headers[`x-budget-${name}`],
    );
    assert.deepEqual(told, ['unlimited', '600000', 'unlimited']);
  });

  it('B-DUR-001, B-DP-023, B-COR-003: offers, records and confirms in this order, then answers', async () => {
    await submit();
    assert.deepEqual(calls(), ['node-1 offer t-1', 'node-1 confirm t-1']);
    const [start] = api.records.starts;
    assert.equal(start?.nodeId, 'node-1');
    assert.equal(start.admission.queue_position, 3);
    assert.equal(api.nodes.run('t-1').confirmed, true);
  });

  it('carries the text once, as what the engine shall complete, and the digest of the whole', async () => {
    await submit({ prompt: 'Once upon a time' });
    const offer = api.records.starts[0]?.offer;
    assert.deepEqual(offer?.input, { kind: 'text', text: 'Once upon a time' });
    assert.equal(offer.request.prompt, undefined);
    assert.match(offer.digest, /^[0-9a-f]{64}$/);
    assert.equal(offer.epoch, 1);
  });

  it('B-DP-026, B-DP-027, B-NARR-001, B-NARR-004, B-NARR-008: logs one line, which is the breadcrumb too', async () => {
    await submit({ prompt: 'canary-5d1c' });
    const lines = api.log.filter(({ event }) => event === 'admitted');
    assert.equal(lines.length, 1);
    const [line = {}] = lines;
    assert.deepEqual([line['queue_position'], line['predicted_start_ms']], [3, 300]);
    assert.deepEqual(
      [line['actor'], line['action'], line['target']],
      ['orchestratord', 'admission', 'default'],
    );
    assert.match(String(line['human']), /place 3\b.*300 ms/);
    assert.ok(String(line['human']).length <= 100);
    assert.equal(line['job_id'], line['task_id']);
    assert.doesNotMatch(JSON.stringify(api.log), /canary-5d1c/);
  });

  it('B-DP-082, C-069: the same body again gets the same answer and no second run', async () => {
    const first = await submit();
    const again = await submit();
    assert.equal(again.statusCode, 202);
    assert.deepEqual(again.json(), first.json());
    assert.equal(api.records.starts.length, 1);
    assert.deepEqual(calls(), ['node-1 offer t-1', 'node-1 confirm t-1']);
  });

  it('B-DP-083: another body under the same id is a conflict', async () => {
    await submit();
    const answer = await submit({ prompt: 'Something else' });
    assert.equal(answer.statusCode, 409);
    assert.equal(answer.json<{ code: string }>().code, 'TASK_CONFLICT');
    assert.equal(api.records.starts.length, 1);
  });

  it('B-DP-082: an equal body means equal values, however they are written', async () => {
    await submit();
    const { ctx, prompt, ...rest } = taskBody();
    const answer = await api.ask('POST', '/v2/tasks', {
      payload: { prompt, ...rest, ctx, unknown_field: 1 },
    });
    assert.equal(answer.statusCode, 202);
  });

  for (const [code, status, extras] of [
    ['ADMISSION_REJECT', 429, { policy_label: 'reject', retry_after_ms: 4_000 }],
    ['DEADLINE_UNMET', 400, {}],
    ['POOL_UNREADY', 503, { retry_after_ms: 1_000 }],
  ] as const) {
    it(`B-DP-033, B-ERR-015: the node's ${code} comes through as ${status} with all it says`, async () => {
      api.nodes.refusal = new DroverError(code, 'the node said why', extras);
      const answer = await submit();
      assert.equal(answer.statusCode, status);
      const body = answer.json<Record<string, unknown>>();
      assert.deepEqual([body['code'], body['message']], [code, 'the node said why']);
      for (const [key, value] of Object.entries(extras)) assert.equal(body[key], value);
      if (status === 429) assert.equal(answer.headers['x-backoff-ms'], String(body['retry_after_ms']));
      assert.equal(api.records.starts.length, 0);
    });
  }

  it('B-FLOW-009: what is only found wrong at the node comes back with the id of the request, which the node was told', async () => {
    api.nodes.refusal = new DroverError('INVALID_PARAMS', 'the prompt does not fit the context');
    const headers = { 'x-correlation-id': 'from-the-client' };
    const answer = await api.ask('POST', '/v2/tasks', { payload: taskBody(), headers });
    const { code, message, correlation_id } = answer.json<Record<string, unknown>>();
    assert.deepEqual([answer.statusCode, code], [400, 'INVALID_PARAMS']);
    assert.deepEqual([message, correlation_id], ['the prompt does not fit the context', 'from-the-client']);
    assert.equal(api.nodes.correlationIds.at(-1), 'from-the-client');
  });

  it('B-ERR-006: a queue under drop-lru that evicts nobody for this task is 429 under its own name', async () => {
    const extras = { policy_label: 'drop-lru', retry_after_ms: 1_000 };
    api.nodes.refusal = new DroverError('QUEUE_FULL_DROP_LRU', 'nothing may be evicted', extras);
    const answer = await submit();
    assert.equal(answer.statusCode, 429);
    const { code, policy_label } = answer.json<Record<string, unknown>>();
    assert.deepEqual([code, policy_label], ['QUEUE_FULL_DROP_LRU', 'drop-lru']);
    const metrics = await api.ask('GET', '/metrics');
    assert.match(
      metrics.body,
      /^admission_backpressure_events_total\{engine="llamacpp",policy="drop-lru"\} 1$/m,
    );
  });

  it('B-ERR-003, B-DP-005, C-004: a node that is away is POOL_UNAVAILABLE, to be tried again', async () => {
    api.nodes.away.add('node-1');
    const answer = await submit();
    assert.equal(answer.statusCode, 503);
    const body = answer.json<Record<string, unknown>>();
    assert.deepEqual(
      [body['code'], body['retriable'], body['policy_label'], body['retry_after_ms']],
      ['POOL_UNAVAILABLE', true, 'retry', 1_000],
    );
  });

  it('C-004, C-005, B-DP-003, B-DP-004: words and figures in a request have no magic', async () => {
    const magic = { model_ref: 'demo', prompt: 'cause-internal', expected_tokens: 2_000_000 };
    assert.equal((await submit(magic)).statusCode, 202);
    assert.equal((await submit({ task_id: 't-2', expected_tokens: 1_000_000 })).statusCode, 202);
    const unknown = await submit({ task_id: 't-3', model_ref: 'pool-unavailable' });
    assert.equal(unknown.json<{ code: string }>().code, 'MODEL_NOT_FOUND');
  });
});

describe('the digest of a request', () => {
  const digest = (over: Record<string, unknown>) =>
    digestOf(textTask(checkTask(taskBody(over), { maxOutputTokens: 100 })));

  it('is a SHA-256 that follows the values and not their order', () => {
    const shuffledKeys = fc.shuffledSubarray(Object.keys(taskBody()), {
      minLength: Object.keys(taskBody()).length,
    });
    fc.assert(
      fc.property(shuffledKeys, (keys) => {
        const shuffled = Object.fromEntries(keys.map((key) => [key, taskBody()[key]]));
        const checked = textTask(checkTask(shuffled, { maxOutputTokens: 100 }));
        return digestOf(checked) === digest({});
      }),
    );
    assert.equal(digest({}).length, createHash('sha256').digest('hex').length);
  });

  it('differs when any value does', () => {
    const others = [
      { prompt: 'b' },
      { seed: 1 },
      { max_tokens: 9 },
      { session_id: 's-2' },
      { temperature: 0 },
      { stop: ['x'] },
    ];
    const digests = new Set([digest({}), ...others.map(digest)]);
    assert.equal(digests.size, others.length + 1);
  });
});
