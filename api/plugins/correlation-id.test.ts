import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { fingerprint } from '../../security/constant-time.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';
import { correlationIdOf } from './correlation-id.js';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('correlation ids', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  it('B-MW-001: the id that a request brings comes back', async () => {
    const answer = await api.ask('GET', '/v2/pools', { headers: { 'x-correlation-id': 'test-123' } });
    assert.equal(answer.headers['x-correlation-id'], 'test-123');
  });

  it('B-MW-002, B-MW-006: a request without one gets a fresh UUIDv4 of its own', async () => {
    const [first, second] = await Promise.all([api.ask('GET', '/healthz'), api.ask('GET', '/healthz')]);
    assert.match(String(first.headers['x-correlation-id']), UUID_V4);
    assert.match(String(second.headers['x-correlation-id']), UUID_V4);
    assert.notEqual(first.headers['x-correlation-id'], second.headers['x-correlation-id']);
  });

  for (const [what, status, ask] of [
    [
      'a success',
      202,
      () => api.ask('POST', '/v2/tasks', { headers: ID, payload: taskBody({ task_id: 'c-1' }) }),
    ],
    ['an empty answer', 204, () => api.ask('POST', '/v2/tasks/c-1/cancel', { headers: ID })],
    ['a stream', 200, () => api.ask('GET', '/v2/tasks/c-1/events', { headers: ID })],
    ['an invalid body', 400, () => api.ask('POST', '/v2/tasks', { headers: ID, payload: {} })],
    ['a missing key', 401, () => api.ask('GET', '/v2/pools', { headers: { ...ID, 'x-api-key': '' } })],
    ['a wrong key', 403, () => api.ask('GET', '/v2/pools', { headers: { ...ID, 'x-api-key': 'no' } })],
    ['an unknown task', 404, () => api.ask('GET', '/v2/tasks/nobody', { headers: ID })],
    ['an unknown route', 404, () => api.ask('GET', '/v3', { headers: ID })],
    ['an address that cannot be decoded', 400, () => api.ask('GET', '/v2/tasks/%zz', { headers: ID })],
    [
      'an address that is too long',
      414,
      () => api.ask('GET', `/v2/tasks/${'x'.repeat(2_000)}`, { headers: ID }),
    ],
    ['the metrics', 200, () => api.ask('GET', '/metrics', { headers: ID })],
  ] as const) {
    it(`B-MW-004, B-DP-030: ${what} (${status}) carries the id`, async () => {
      const answer = await ask();
      assert.equal(answer.statusCode, status);
      assert.equal(answer.headers['x-correlation-id'], 'id-of-the-test');
    });
  }

  it('B-MW-004: even what is no HTTP is answered with an id, in header and body', async () => {
    await api.app.listen({ port: 0 });
    const { port } = api.app.server.address() as { port: number };
    const socket = connect(port, '127.0.0.1', () => socket.write('no http at all\r\n\r\n'));
    const answer = await text(socket);
    assert.match(answer, /^HTTP\/1\.1 400 /);
    const id = /x-correlation-id: (\S+)/.exec(answer)?.[1] ?? '';
    assert.match(id, UUID_V4);
    assert.ok(answer.includes(`"correlation_id":"${id}"`));
  });

  it('B-MW-003, B-MW-007, B-COR-002, B-COR-003: node, record and log have the id of the request', async () => {
    const headers = { 'x-correlation-id': 'follow-me' };
    api.nodes.correlationIds.length = 0;
    await api.ask('POST', '/v2/tasks', { headers, payload: taskBody({ task_id: 'c-2' }) });
    assert.deepEqual([...new Set(api.nodes.correlationIds)], ['follow-me']);
    assert.equal(api.records.tasks.get('c-2')?.memo.request.correlation_id, 'follow-me');
    const admitted = api.log.find(({ task_id }) => task_id === 'c-2');
    assert.equal(admitted?.['correlation_id'], 'follow-me');
  });

  it("B-COR-001, B-COR-002, B-COR-007: node, record and log have what the request's caller traces it by, and nothing that it did not say", async () => {
    const ids = { 'x-correlation-id': 'traced', 'x-trace-id': 'trace-1', 'x-span-id': 'span-1' };
    api.nodes.traces.length = 0;
    await api.ask('POST', '/v2/tasks', { headers: ids, payload: taskBody({ task_id: 'c-3' }) });
    const trace = { trace_id: 'trace-1', span_id: 'span-1' };
    assert.ok(api.nodes.traces.length > 0);
    for (const passedOn of api.nodes.traces) assert.deepEqual(passedOn, trace);
    assert.deepEqual(api.records.starts.at(-1)?.offer.trace, trace);
    const admitted = api.log.find(({ task_id }) => task_id === 'c-3');
    assert.deepEqual([admitted?.['trace_id'], admitted?.['span_id']], ['trace-1', 'span-1']);
    assert.equal('parent_span_id' in (admitted ?? {}), false);
    await api.ask('POST', '/v2/tasks', { payload: taskBody({ task_id: 'c-4' }) });
    assert.equal(api.records.starts.at(-1)?.offer.trace, undefined);
    assert.deepEqual(api.nodes.traces.at(-1), {});
  });

  it('B-RED-006: the log of a request, where it is wanted, has its headers, but no key', async () => {
    const key = 'a-key-that-nobody-has';
    await api.ask('GET', '/v2/pools', {
      headers: { authorization: `Bearer ${key}`, 'x-correlation-id': 'dump' },
    });
    const line = api.log.find(
      ({ event, correlation_id }) => event === 'request' && correlation_id === 'dump',
    );
    const headers = line?.['headers'] as Record<string, string>;
    assert.equal(headers['authorization'], `****${fingerprint(key)}`);
    assert.equal(headers['x-correlation-id'], 'dump');
    assert.equal(JSON.stringify(api.log).includes(key), false);
  });

  it('B-COR-005: the ids of two requests at once never mix', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `mix-${index}`);
    await Promise.all(
      ids.map((id) =>
        api.ask('POST', '/v2/tasks', {
          headers: { 'x-correlation-id': id },
          payload: taskBody({ task_id: id, session_id: id }),
        }),
      ),
    );
    for (const id of ids) assert.equal(api.records.tasks.get(id)?.memo.request.correlation_id, id);
  });
});

describe('ids that cannot be used', () => {
  it('B-MW-005, B-COR-008: a long id or one with control characters is replaced, any other is kept', () => {
    const printable = fc.stringMatching(/^[\x20-\x7e]{1,128}$/);
    fc.assert(
      fc.property(printable, (id) => correlationIdOf({ headers: { 'x-correlation-id': id } }) === id),
    );
    const control = fc.constantFrom('\n', '\r', '\t', '\0', '\x7f', '\x85');
    const unusable = fc.oneof(
      fc.string({ minLength: 129, maxLength: 300 }),
      fc
        .tuple(fc.string({ maxLength: 60 }), control, fc.string({ maxLength: 60 }))
        .map((parts) => parts.join('')),
      fc.constant(''),
    );
    fc.assert(
      fc.property(unusable, (id) => UUID_V4.test(correlationIdOf({ headers: { 'x-correlation-id': id } }))),
    );
  });
});

const ID = { 'x-correlation-id': 'id-of-the-test' };
