/** Inferences on a worker: the embedded engine as a real process, with a key. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { allEvents, eventsOf, type SentEvent, type WorkerBody } from '../../testing/worker-events.js';
import { EngineUnderTest, prepareModel } from '../../testing/xllamacpp/engine-under-test.js';

const KEY = 'the-key-of-this-worker';

describe('a worker with a key', () => {
  let engine: EngineUnderTest;
  let remove: () => Promise<void>;
  before(async () => {
    const prepared = await prepareModel();
    remove = prepared.remove;
    const { model } = prepared;
    const args = ['--model', model, '--threads', '1', '--parallel', '2', '--alias', 'demo'];
    engine = await EngineUnderTest.spawn('embedded', args, { DROVER_WORKER_KEY: KEY });
    await engine.untilHealthy();
  });
  after(async () => {
    await engine.end();
    await remove();
  });

  const send = (
    method: string,
    path: string,
    body?: unknown,
    more: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
  ) =>
    fetch(engine.url + path, {
      ...more,
      method,
      headers: { authorization: `Bearer ${KEY}`, connection: 'close', ...more.headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const infer = (body: unknown, more?: Parameters<typeof send>[3]) =>
    send('POST', '/v1/inference', body, more);
  const refusalOf = async (answer: Promise<Response>): Promise<WorkerBody & { status: number }> => {
    const response = await answer;
    return { status: response.status, ...((await response.json()) as WorkerBody) };
  };
  const stateOf = async () => ((await (await send('GET', '/v1/ready')).json()) as { state: string }).state;
  const endless = (job_id: string) => ({ job_id, prompt: 'endless', max_tokens: 2048, temperature: 0 });
  const begun = async (job_id: string, more?: Parameters<typeof send>[3]) => {
    const events = eventsOf(await infer(endless(job_id), more));
    // Not `for await`: leaving it would leave the stream.
    for (;;) {
      const next = await events.next();
      if (next.done === true) assert.fail('the stream ended before its first token');
      if (next.value.event === 'token') return events;
    }
  };

  test('B-LOAD-002, B-WHL-012: when it is loaded it is ready and idle, and its health names its memory', async () => {
    assert.deepEqual(await (await send('GET', '/v1/ready')).json(), {
      ready: true,
      state: 'idle',
      model_loaded: true,
    });
    assert.deepEqual(await (await fetch(`${engine.url}/health`)).json(), { status: 'ok', vram_bytes: 0 });
  });

  test('its routes want its key, and say which is missing or wrong', async () => {
    for (const [authorization, code] of [
      ['', 'MISSING_TOKEN'],
      ['Bearer wrong', 'BAD_TOKEN'],
    ] as const) {
      for (const [method, path] of [
        ['GET', '/v1/ready'],
        ['POST', '/v1/inference'],
        ['GET', '/v1/progress'],
        ['DELETE', '/v1/inference/a'],
        ['POST', '/v1/admin/shutdown'],
      ] as const) {
        const { status, error } = await refusalOf(
          send(method, path, method === 'POST' ? '{}' : undefined, { headers: { authorization } }),
        );
        assert.deepEqual([path, status, error?.code], [path, 401, code]);
      }
    }
  });

  test('B-INF-001, B-INF-002, B-INF-009: a body that cannot be worked on is refused in the envelope of workers', async () => {
    const noJson = await refusalOf(infer('{"job_id', { headers: { 'x-correlation-id': 'c-7' } }));
    assert.deepEqual(
      [noJson.status, noJson.error?.code, noJson.error?.['correlation_id']],
      [400, 'INVALID_JSON', 'c-7'],
    );
    const noObject = await refusalOf(infer('[]'));
    assert.deepEqual(
      [noObject.status, noObject.error?.code, noObject.error?.details],
      [400, 'INVALID_REQUEST_FORMAT', { got: 'array' }],
    );
    const wrong = await refusalOf(infer({ job_id: '', prompt: 'a secret', max_tokens: 0 }));
    assert.deepEqual(
      [wrong.status, wrong.error?.code, (wrong['errors'] as unknown[]).length],
      [400, 'INVALID_REQUEST', 2],
    );
    assert.doesNotMatch(JSON.stringify(wrong), /secret/);
  });

  test('B-INF-042, B-INF-010, B-INF-030: POST streams typed events from the first to the last; the seed’s GET is not served', async () => {
    const response = await infer({
      job_id: 'job-1',
      prompt: 'Tell me about the sea',
      max_tokens: 200,
      temperature: 0,
    });
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    const events = await allEvents(response);
    const kinds = events.map(({ event }) => event);
    assert.deepEqual(
      [kinds[0], kinds[1], kinds.at(-2), kinds.at(-1)],
      ['started', 'narration', 'metrics', 'end'],
    );
    const [started, narration] = events.map(({ data }) => data);
    assert.deepEqual([started?.['job_id'], started?.['model']], ['job-1', 'demo']);
    assert.ok(Math.abs(Date.parse(started?.['started_at'] as string) - Date.now()) < 60_000);
    assert.equal(typeof narration?.['human'], 'string');
    const tokens = events.filter(({ event }) => event === 'token').map(({ data }) => data);
    assert.match(tokens.map(({ t }) => t).join(''), /^Waves arrive in long grey lines .* until morning\.$/);
    assert.deepEqual(
      tokens.map(({ i }) => i),
      tokens.map((_, index) => index),
    );
    const { tokens_per_sec, vram_bytes } = events.at(-2)?.data ?? {};
    assert.ok(Number(tokens_per_sec) > 0);
    assert.equal(vram_bytes, 0);
    const end = events.at(-1)?.data;
    assert.deepEqual(
      [
        end?.['stop_reason'],
        Number(end?.['tokens_out']) >= tokens.length,
        Number(end?.['decode_time_ms']) > 0,
      ],
      ['EOS', true, true],
    );
    assert.equal((await send('GET', '/v1/inference/stream')).status, 404);
    assert.equal((await send('GET', '/v1/inference')).status, 404);
  });

  test('a limit and a stop word end it for their reasons, and without a stream it is one object', async () => {
    const whole = async (more: object) =>
      (await (
        await infer({ job_id: 'w', prompt: 'Tell me about the sea', temperature: 0, stream: false, ...more })
      ).json()) as WorkerBody;
    const limited = await whole({ max_tokens: 3 });
    assert.deepEqual(
      [limited['tokens_out'], limited['stop_reason'], limited['job_id']],
      [3, 'MAX_TOKENS', 'w'],
    );
    const stopped = await whole({ max_tokens: 50, stop: [' lines'] });
    assert.deepEqual(
      [stopped['text'], stopped['stop_reason']],
      ['Waves arrive in long grey', 'STOP_SEQUENCE'],
    );
  });

  test('B-INF-020, B-INF-010, B-WST-013: of requests for the last slot one gets it, the others are told that all are taken', async () => {
    await begun('first');
    assert.equal(await stateOf(), 'busy');
    const rivals = await Promise.all(['a', 'b', 'c', 'd'].map((id) => infer(endless(id))));
    assert.deepEqual(rivals.map(({ status }) => status).sort(), [200, 503, 503, 503]);
    const { error } = (await rivals.find(({ status }) => status === 503)?.json()) as WorkerBody;
    assert.deepEqual([error?.code, error?.['slots_total'], error?.['slots_busy']], ['ALL_SLOTS_BUSY', 2, 2]);
    assert.equal(await engine.busySlots(), 2);
    for (const id of ['first', 'a', 'b', 'c', 'd'])
      assert.equal((await send('DELETE', `/v1/inference/${id}`)).status, 204);
    assert.deepEqual([await engine.busySlots(), await stateOf()], [0, 'idle']);
  });

  test('B-INF-050, B-INF-051: a cancel is answered when the slot is free, again and for what never ran, and ends the stream', async () => {
    const events = await begun('to cancel');
    const path = `/v1/inference/${encodeURIComponent('to cancel')}`;
    assert.equal((await send('DELETE', path)).status, 204);
    assert.deepEqual([await engine.busySlots(), await stateOf()], [0, 'idle']);
    assert.equal((await send('DELETE', path)).status, 204);
    let last: SentEvent | undefined;
    for await (const event of events) last = event;
    assert.deepEqual([last?.event, last?.data['code']], ['error', 'CANCELLED']);
  });

  test('B-INF-053: a client that leaves is noticed within a second, its slot is free, and the log says so', async () => {
    const leaving = new AbortController();
    await begun('left alone', { signal: leaving.signal });
    leaving.abort();
    assert.ok((await engine.untilBusy(0)) < 1_000);
    assert.match(engine.stderr, /inference "left alone" ended early: its client has left/);
  });

  test('B-DEAD-005: past its deadline a request is 408 with the deadline, a stream ends, and the slot is free', async () => {
    const at = (ms: number) => ({
      headers: { 'x-request-deadline': new Date(Date.now() + ms).toISOString() },
    });
    const past = at(-1_000);
    const refused = await refusalOf(infer(endless('late'), past));
    const deadline = past.headers['x-request-deadline'];
    assert.deepEqual(
      [refused.status, refused.error?.code, refused.error?.details],
      [408, 'REQUEST_TIMEOUT', { deadline }],
    );
    const whole = await refusalOf(infer({ ...endless('whole'), stream: false }, at(300)));
    assert.deepEqual([whole.status, whole.error?.code], [408, 'REQUEST_TIMEOUT']);
    const streamed = await allEvents(await infer(endless('streamed'), at(300)));
    assert.deepEqual([streamed.at(-1)?.event, streamed.at(-1)?.data['code']], ['error', 'TIMEOUT']);
    assert.equal(await engine.busySlots(), 0);
    assert.match(engine.stderr, /inference "streamed" ended early: TIMEOUT/);
    const nonsense = await refusalOf(infer(endless('x'), { headers: { 'x-request-deadline': 'soon' } }));
    assert.deepEqual([nonsense.status, nonsense.error?.code], [400, 'INVALID_REQUEST']);
  });
});
