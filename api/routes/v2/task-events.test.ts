import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { FrameBody } from '../../../contracts/events.js';
import type { MemoryRun } from '../../testing/memory-nodes.js';
import { KEY, startTestApi, taskBody, type TestApi } from '../../testing/test-api.js';

const STARTED: FrameBody = {
  type: 'started',
  data: {
    queue_position: 3,
    predicted_start_ms: 300,
    task_id: 't-1',
    engine: 'llamacpp',
    pool_id: 'default',
    replica_id: 'r0',
    model_ref: 'demo',
    correlation_id: 'c',
    admitted_at_ms: 0,
  },
};
const token = (i: number): FrameBody => ({ type: 'token', data: { t: `w${i}`, i } });
const metrics = (tokens_out: number): FrameBody => ({
  type: 'metrics',
  data: {
    queue_depth: 0,
    on_time_probability: 1,
    kv_warmth: true,
    tokens_out,
    tokens_budget_remaining: null,
    time_budget_remaining_ms: null,
    cost_budget_remaining: null,
  },
});
const END: FrameBody = {
  type: 'end',
  data: { tokens_out: 2, tokens_in: 1, decode_time_ms: 5, decode_ms: 5, stop_reason: 'EOS' },
};

/** Ids and names of the events in a stream's text. */
function eventsIn(text: string): string[] {
  return [...text.matchAll(/^(?:id: (\d+)\n)?event: (\w+)$/gm)].map(
    ([, id, name]) => `${id ?? '-'} ${name ?? ''}`,
  );
}

async function admit(api: TestApi, over: Record<string, unknown> = {}): Promise<MemoryRun> {
  const body = taskBody(over);
  assert.equal((await api.ask('POST', '/v2/tasks', { payload: body })).statusCode, 202);
  return api.nodes.run(String(body['task_id']));
}

describe('GET /v2/tasks/:id/events', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi();
  });
  afterEach(() => api.close());

  const events = (query = '', headers: Record<string, string> = {}) =>
    api.ask('GET', `/v2/tasks/t-1/events${query}`, { headers });

  it('B-DP-101, B-DP-102, B-DP-103, B-DP-090, B-DP-106: answers 200 with the headers of a stream', async () => {
    (await admit(api)).publish(STARTED, END);
    const { statusCode, headers } = await events('', { 'x-correlation-id': 'reader-1' });
    assert.equal(statusCode, 200);
    assert.equal(headers['content-type'], 'text/event-stream');
    assert.equal(headers['cache-control'], 'no-cache');
    assert.equal(headers.connection, 'keep-alive');
    assert.equal(headers['x-accel-buffering'], 'no');
    assert.equal(headers['x-correlation-id'], 'reader-1');
    assert.equal(headers['x-budget-tokens-remaining'], 'unlimited');
    assert.equal(headers['x-budget-time-remaining-ms'], '600000');
    assert.equal(headers['x-budget-cost-remaining'], 'unlimited');
  });

  it('B-DP-104, B-DP-120, B-DP-121, B-DP-123, B-DP-124: replays an ended task whole, in order, once', async () => {
    (await admit(api)).publish(STARTED, token(0), metrics(1), token(1), END);
    const { body, statusCode } = await events();
    assert.equal(statusCode, 200);
    assert.deepEqual(eventsIn(body), ['0 started', '1 token', '2 metrics', '3 token', '4 end']);
    assert.match(body, /"queue_position":3,"predicted_start_ms":300/);
  });

  it('B-DP-109, B-DP-169: readers of a queued task wait, and all see the same from then on', async () => {
    const run = await admit(api);
    const readers = [events(), events(), events()];
    run.publish(STARTED, token(0));
    run.publish(END);
    const [first, ...others] = (await Promise.all(readers)).map(({ body }) => body);
    assert.deepEqual(eventsIn(first ?? ''), ['0 started', '1 token', '2 end']);
    for (const other of others) assert.equal(other, first);
    assert.equal(api.nodes.calls.filter((call) => call.includes(' frames ')).length, 1, 'one upstream tail');
  });

  for (const [what, query, headers, expected] of [
    ['Last-Event-ID', '', { 'last-event-id': '1' }, ['2 token', '3 end']],
    ['?from=', '?from=2', {}, ['2 token', '3 end']],
    ['?from=0', '?from=0', {}, ['0 started', '1 token', '2 token', '3 end']],
    ['Last-Event-ID above ?from=', '?from=0', { 'last-event-id': '2' }, ['3 end']],
  ] as const) {
    it(`B-DP-167, B-DUR-002: ${what} resumes without a gap or a repeat`, async () => {
      (await admit(api)).publish(STARTED, token(0), token(1), END);
      assert.deepEqual(eventsIn((await events(query, headers)).body), expected);
    });
  }

  it('a reader that has had everything of an ended task is told so, and an EventSource stops', async () => {
    (await admit(api)).publish(STARTED, END);
    const answer = await events('', { 'last-event-id': '1' });
    assert.equal(answer.statusCode, 204);
    assert.equal(answer.body, '');
  });

  for (const [query, headers, field] of [
    ['?from=-1', {}, 'from'],
    ['?from=1.5', {}, 'from'],
    ['?from=', {}, 'from'],
    ['?verbose=perhaps', {}, 'verbose'],
    ['', { 'last-event-id': 'abc' }, 'last-event-id'],
  ] as const) {
    it(`refuses ${query}${JSON.stringify(headers)} by name`, async () => {
      await admit(api);
      const answer = await events(query, headers);
      assert.equal(answer.statusCode, 400);
      assert.equal(answer.json<{ details: { field: string }[] }>().details[0]?.field, field);
    });
  }

  it('B-DP-105, B-DP-170, B-DP-168: ?verbose=true adds words to metrics events, and no events', async () => {
    (await admit(api)).publish(STARTED, metrics(1), END);
    assert.match((await events('?verbose=true')).body, /"phase":"decode","human":"decodes, 1 tokens so far/);
    const [plain, verbose] = [await events(), await events('?verbose=true')];
    assert.doesNotMatch(plain.body, /human/);
    assert.deepEqual(eventsIn(verbose.body), eventsIn(plain.body));
  });

  it('B-DP-107, B-DP-115, C-008: an unknown task is 404 with the envelope, and no stream', async () => {
    const answer = await events();
    assert.equal(answer.statusCode, 404);
    assert.match(String(answer.headers['content-type']), /^application\/json/);
    assert.equal(answer.json<{ code: string }>().code, 'TASK_NOT_FOUND');
  });

  it('B-DP-108, B-DP-125, B-DP-126: a failure after the start is one error event, and nothing after it', async () => {
    const data = { code: 'WORKER_RESET', message: 'the engine died', retriable: true } as const;
    (await admit(api)).publish(STARTED, token(0), { type: 'error', data });
    const answer = await events();
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(eventsIn(answer.body), ['0 started', '1 token', '2 error']);
  });

  it('a node that restarts is waited for: the stream goes on where it was', async () => {
    const run = await admit(api);
    const reader = events();
    run.publish(STARTED, token(0));
    api.nodes.away.add('node-1');
    api.nodes.cutTails();
    api.nodes.onCall = (call) => {
      if (!call.includes(' frames ')) return;
      api.nodes.away.delete('node-1');
      api.nodes.onCall = () => undefined;
    };
    run.publish(token(1), END);
    assert.deepEqual(eventsIn((await reader).body), ['0 started', '1 token', '2 token', '3 end']);
  });

  it('B-DUR-002: another API process finds the task by its record and serves the same stream', async () => {
    const run = await admit(api);
    run.publish(STARTED, token(0), END);
    const other = await startTestApi({ nodes: api.nodes, records: api.records });
    const answer = await other.ask('GET', '/v2/tasks/t-1/events');
    assert.equal(answer.body, (await events()).body);
    await other.close();
  });

  it('while Temporal is away another API process finds the task by asking the nodes', async () => {
    (await admit(api)).publish(STARTED, END);
    api.records.down = true;
    const other = await startTestApi({ nodes: api.nodes, records: api.records });
    assert.deepEqual(eventsIn((await other.ask('GET', '/v2/tasks/t-1/events')).body), ['0 started', '1 end']);
    const unknown = await other.ask('GET', '/v2/tasks/nobody/events');
    assert.equal(unknown.json<{ code: string }>().code, 'TEMPORAL_UNAVAILABLE');
    await other.close();
  });
});

/** A reader over a real socket: what comes, and the way to leave. */
class SocketReader {
  text = '';
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private readonly waiting = new Set<() => void>();

  constructor(port: number, path: string) {
    this.socket = connect(port, '127.0.0.1', () => {
      this.socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\n\r\n`);
    });
    this.socket.setEncoding('utf8').on('data', (chunk) => {
      this.text += String(chunk);
      for (const look of this.waiting) look();
    });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  /** Resolves when the text matches. */
  until(pattern: RegExp): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!pattern.test(this.text)) return;
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
      look();
    });
  }

  leave(): void {
    this.socket.destroy();
  }
}

/** Resolves when a call has been made. */
function called(api: TestApi, call: string): Promise<void> {
  return new Promise((resolve) => {
    const before = api.nodes.onCall;
    api.nodes.onCall = (made) => {
      before(made);
      if (made === call) resolve();
    };
  });
}

describe('streams over sockets', () => {
  let api: TestApi;
  let port: number;
  before(async () => {
    api = await startTestApi({ env: { DROVER_SSE_HEARTBEAT_MS: '20' } });
    await api.app.listen({ port: 0 });
    ({ port } = api.app.server.address() as { port: number });
  });
  after(() => api.close());

  const active = async () => /^sse_streams_active (\d+)$/m.exec((await api.ask('GET', '/metrics')).body)?.[1];

  it('B-DP-165: a silent stream sends comments, which no parser shows', async () => {
    await admit(api, { task_id: 's-1' });
    const reader = new SocketReader(port, '/v2/tasks/s-1/events');
    await reader.until(/(: keep-alive\n\n[\s\S]*){2}/);
    assert.deepEqual(eventsIn(reader.text), []);
    reader.leave();
    await reader.closed;
  });

  it('B-DP-160, C-094: an event is there before the next one exists', async () => {
    const run = await admit(api, { task_id: 's-2' });
    const reader = new SocketReader(port, '/v2/tasks/s-2/events');
    for (const [index, frame] of [STARTED, token(0), token(1)].entries()) {
      run.publish(frame);
      await reader.until(new RegExp(`^id: ${index}$`, 'm'));
    }
    run.publish(END);
    await reader.until(/^event: end$/m);
    assert.match(reader.text, /\r\n0\r\n\r\n$/, 'the answer is complete');
    reader.leave();
  });

  it('B-DP-166, C-103: the last reader that leaves is reported to the node, the first is not', async () => {
    await admit(api, { task_id: 's-3' });
    const [first, second] = [1, 2].map(() => new SocketReader(port, '/v2/tasks/s-3/events'));
    assert.ok(first && second);
    await Promise.all([first.until(/keep-alive/), second.until(/keep-alive/)]);
    assert.equal(await active(), '2');
    first.leave();
    await first.closed;
    const abandoned = called(api, 'node-1 abandon s-3');
    assert.ok(!api.nodes.calls.includes('node-1 abandon s-3'));
    second.leave();
    await abandoned;
    assert.equal(await active(), '0');
    assert.equal(api.nodes.openTails, 0);
  });

  it('the end of the API ends its streams and is no reader leaving', async () => {
    const ending = await startTestApi({ nodes: api.nodes, records: api.records });
    await ending.app.listen({ port: 0 });
    await admit(ending, { task_id: 's-4' });
    const address = ending.app.server.address() as { port: number };
    const reader = new SocketReader(address.port, '/v2/tasks/s-4/events');
    await reader.until(/200 OK/);
    await ending.close();
    await reader.closed;
    assert.doesNotMatch(reader.text, /event:/);
    assert.ok(!api.nodes.calls.includes('node-1 abandon s-4'));
  });
});
