import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { DroverError, errorEnvelope } from '../../contracts/errors.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

interface Envelope {
  code: string;
  message: string;
  retriable: boolean;
  retry_after_ms?: number;
  details?: { field: string; problem: string }[];
}

describe('refusals', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi({
      env: { DROVER_BODY_LIMIT_BYTES: '4096' },
      extend: (app) => {
        app.get('/test/bug', () => {
          throw new TypeError('cannot read /etc/secret of 10.0.0.7');
        });
        app.get(
          '/test/wrong-answer',
          { schema: { response: { 200: z.object({ n: z.int() }) } } },
          (_request, reply) => reply.send({ n: 'the secret answer' }),
        );
        app.get('/test/full', () => {
          throw new DroverError('ADMISSION_REJECT', 'the queue is full', {
            policy_label: 'reject',
            retry_after_ms: 2_500,
          });
        });
        app.get('/test/away', () => {
          throw new DroverError('POOL_UNREADY', 'the pool is not ready');
        });
        app.get('/test/not-an-error', () => {
          // eslint-disable-next-line @typescript-eslint/only-throw-error -- whatever a library throws must be answered
          throw 'a string';
        });
      },
    });
  });
  after(() => api.close());

  const submit = (payload: string | object, headers: Record<string, string> = {}) =>
    api.ask('POST', '/v2/tasks', { payload, headers: { 'content-type': 'application/json', ...headers } });

  it('B-DP-001, B-ERR-001, B-ERR-010, B-ERR-011: a negative ctx is an invalid parameter, named', async () => {
    const answer = await submit(taskBody({ ctx: -1 }));
    assert.equal(answer.statusCode, 400);
    const body = answer.json<Envelope>();
    assert.equal(body.code, 'INVALID_PARAMS');
    assert.match(body.message, /ctx must be >= 0/);
    assert.deepEqual(body.details, [{ field: 'ctx', problem: 'ctx must be >= 0' }]);
  });

  for (const deadline_ms of [0, -5]) {
    it(`B-DP-002, B-ERR-002: a deadline of ${deadline_ms} ms cannot be met`, async () => {
      const answer = await submit(taskBody({ deadline_ms }));
      assert.equal(answer.statusCode, 400);
      assert.equal(answer.json<Envelope>().code, 'DEADLINE_UNMET');
      assert.match(answer.json<Envelope>().message, /deadline_ms must be > 0/);
    });
  }

  it('B-DP-040: a past deadline beside other faults is one invalid parameter among them', async () => {
    const body = (await submit(taskBody({ deadline_ms: 0, ctx: -1 }))).json<Envelope>();
    assert.equal(body.code, 'INVALID_PARAMS');
    assert.deepEqual(body.details?.map(({ field }) => field).sort(), ['ctx', 'deadline_ms']);
  });

  it('B-DP-040, B-DP-042: every offending field is named, those of this deployment among them', async () => {
    const bad = {
      ...taskBody({ task_id: '', ctx: 'big', priority: 'urgent', max_tokens: 60_000, workload: 'poetry' }),
      session_id: undefined,
      placement: { mode: 'pin' },
    };
    const answer = await submit(bad);
    assert.equal(answer.statusCode, 400);
    assert.deepEqual(
      answer
        .json<Envelope>()
        .details?.map(({ field }) => field)
        .sort(),
      ['ctx', 'max_tokens', 'placement.pin_pool_id', 'priority', 'session_id', 'task_id', 'workload'],
    );
  });

  for (const [what, payload] of [
    ['no body', ''],
    ['a list', '[]'],
    ['a string', '"text"'],
    ['null', 'null'],
  ] as const) {
    it(`B-DP-040: ${what} is no task`, async () => {
      const answer = await submit(payload);
      assert.equal(answer.statusCode, 400);
      assert.equal(answer.json<Envelope>().code, 'INVALID_PARAMS');
      assert.equal(answer.json<Envelope>().details?.[0]?.field, 'body');
    });
  }

  it('B-RERR-002: what is wrong at a node is told in the codes of tasks, whatever words the client speaks', async () => {
    api.nodes.refusal = new DroverError('DISK_FULL', 'no room', { retry_after_ms: 2_000 });
    try {
      const answer = await submit(taskBody({ task_id: 't-full' }));
      assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '2']);
      const { code, retriable, details } = answer.json<Envelope & { details: unknown }>();
      assert.deepEqual([code, retriable, details], ['POOL_UNAVAILABLE', true, { cause_code: 'DISK_FULL' }]);
      const chat = { model: 'demo', messages: [{ role: 'user', content: 'a' }] };
      for (const path of ['/v1/chat/completions', '/v1/messages']) {
        const payload = { ...chat, max_tokens: 4 };
        const dressed = await api.ask('POST', path, { payload });
        const { error } = dressed.json<{ error: { code: string } }>();
        assert.deepEqual([dressed.statusCode, error.code], [503, 'POOL_UNAVAILABLE'], path);
      }
    } finally {
      api.nodes.refusal = undefined;
    }
  });

  it('B-DP-040: what is not JSON is said to be none, and not repeated', async () => {
    const answer = await submit('{"prompt": "canary-7f3a" oops');
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.json<Envelope>().code, 'INVALID_PARAMS');
    assert.equal(answer.json<Envelope>().message, 'the body is not valid JSON');
    assert.doesNotMatch(answer.body + JSON.stringify(api.log), /canary-7f3a/);
  });

  it('B-DP-044: a body over the limit is too large', async () => {
    const answer = await submit(taskBody({ prompt: 'x'.repeat(5_000) }));
    assert.equal(answer.statusCode, 413);
    assert.equal(answer.json<Envelope>().code, 'INVALID_PARAMS');
  });

  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml']) {
    it(`B-DP-040: ${type} is no way to send a task`, async () => {
      const answer = await submit(JSON.stringify(taskBody()), { 'content-type': type });
      assert.equal(answer.statusCode, 415);
      assert.equal(answer.json<Envelope>().code, 'INVALID_PARAMS');
    });
  }

  it('B-DP-045: an id that is a path is refused without being repeated', async () => {
    const answer = await submit(taskBody({ task_id: '../../etc/passwd' }));
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.json<Envelope>().details?.[0]?.field, 'task_id');
    assert.doesNotMatch(answer.body, /passwd/);
  });

  it('B-DP-045, B-ERR-020: no bad value of any field comes back', async () => {
    const value = fc.oneof(fc.stringMatching(/^zq[a-z]{8}\W{2,4}$/), fc.constant('zq\0zq'));
    const field = fc.constantFrom(
      'task_id',
      'session_id',
      'workload',
      'model_ref',
      'engine',
      'priority',
      'determinism',
    );
    await fc.assert(
      fc.asyncProperty(field, value, async (name, bad) => {
        const answer = await submit(taskBody({ [name]: bad }));
        assert.equal(answer.statusCode, 400);
        assert.doesNotMatch(answer.body, /zq/);
        return answer.json<Envelope>().details?.some(({ field: named }) => named === name);
      }),
      { numRuns: 60 },
    );
  });

  it('B-DP-040: a list with a thousand faults is not answered with a thousand details', async () => {
    const answer = await submit(taskBody({ stop: undefined, inputs: Array.from({ length: 900 }, () => 1) }));
    const { details, message } = answer.json<Envelope>();
    assert.equal(details?.length, 100);
    assert.match(message, /and 895 more$/);
  });

  it('C-077, B-CP-009: an unknown route is 404 with the envelope', async () => {
    const answer = await api.ask('GET', '/v2/replicasets');
    assert.equal(answer.statusCode, 404);
    assert.equal(answer.json<Envelope>().code, 'ROUTE_NOT_FOUND');
    assert.equal((await api.ask('GET', '/v1/replicasets')).statusCode, 404);
  });

  for (const path of ['/test/bug', '/test/wrong-answer', '/test/not-an-error']) {
    it(`B-DP-006, B-ERR-004, B-ERR-020, B-OBS-042: ${path} says nothing of the inside, the log does`, async () => {
      api.log.length = 0;
      const answer = await api.ask('GET', path);
      assert.equal(answer.statusCode, 500);
      const { code, message, retriable } = answer.json<Envelope>();
      assert.deepEqual([code, retriable], ['INTERNAL', false]);
      assert.doesNotMatch(answer.body, /secret|10\.0\.0\.7|TypeError|stack|string/);
      assert.match(message, /correlation id/);
      const logged = api.log.find(({ event }) => event === 'request_failed');
      assert.equal(logged?.['level'], 'error');
      assert.equal(logged['correlation_id'], answer.headers['x-correlation-id']);
      if (path === '/test/bug') assert.match(JSON.stringify(logged['err']), /TypeError.*stack/s);
    });
  }

  it('B-DP-031, B-DP-032, B-DP-036, B-DP-038, B-ERR-005: a full queue says when to come again, in three ways', async () => {
    const answer = await api.ask('GET', '/test/full');
    assert.equal(answer.statusCode, 429);
    assert.equal(answer.headers['retry-after'], '2');
    assert.equal(answer.headers['x-backoff-ms'], '2500');
    const body = answer.json<Envelope & { policy_label: string }>();
    assert.deepEqual([body.policy_label, body.retriable, body.retry_after_ms], ['reject', true, 2_500]);
  });

  it('B-ERR-019, B-ERR-013, B-ERR-014: 503 says when to come again too, a second where nothing is known', async () => {
    const answer = await api.ask('GET', '/test/away');
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.headers['retry-after'], '1');
    assert.equal(answer.headers['x-backoff-ms'], undefined);
    const body = answer.json<Envelope>();
    assert.deepEqual([body.retriable, body.retry_after_ms], [true, 1_000]);
  });

  it('B-DP-033: every refusal is the envelope, whole and nothing else', async () => {
    const strict = z.strictObject(errorEnvelope.shape);
    for (const url of [
      '/test/full',
      '/test/away',
      '/test/bug',
      '/nowhere',
      '/v2/tasks/nobody',
      '/v2/tasks/%zz',
    ]) {
      strict.parse((await api.ask('GET', url)).json());
    }
    strict.parse((await submit({})).json());
  });
});
