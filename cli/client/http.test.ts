import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { freePort } from '../../testing/free-port.js';
import { selfSignedFiles } from '../../testing/self-signed.js';
import { ScriptedServer, sendJson, type Answerer } from '../../testing/scripted-server.js';
import { CliError, Interrupted } from './cli-error.js';
import { ApiHttp, type Call } from './http.js';
import { LIMITS, type Limits } from './limits.js';
import { nextStep } from './next-step.js';

const BUSY = { code: 'ADMISSION_REJECT', message: 'the queue is full', retriable: true };
/** Every wait is drawn as short as it can be. */
const NO_WAIT = { random: () => 0, now: Date.now };

describe('calls to a server with bad manners', () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
  });

  async function server(answer: Answerer, limits: Partial<Limits> = {}, stop = new AbortController().signal) {
    const scripted = await ScriptedServer.start(answer);
    const http = client(scripted.url, limits, stop);
    closing.push(() => scripted.close());
    return { scripted, http };
  }

  function client(url: string, limits: Partial<Limits> = {}, stop = new AbortController().signal): ApiHttp {
    const http = new ApiHttp({ url, key: 'k-1' }, { ...LIMITS, ...limits }, stop, NO_WAIT);
    closing.push(() => http.dispatcher.destroy());
    return http;
  }

  async function failure(http: ApiHttp, call: Call): Promise<CliError> {
    const err: unknown = await http.send(call).then(
      () => assert.fail('it succeeded'),
      (reason: unknown) => reason,
    );
    assert.ok(err instanceof CliError, String(err));
    return err;
  }

  it('B-HTTP-004, B-HTTP-005: 429 and then 200 is a success, after the time that was asked for', async () => {
    const { scripted, http } = await server((response, _request, count) => {
      if (count === 1) sendJson(response, 429, BUSY, { 'retry-after': '1' });
      else sendJson(response, 200, { pools: [] });
    });
    const askedAt = performance.now();
    assert.deepEqual(await http.json({ path: '/v2/pools' }), { pools: [] });
    assert.ok(performance.now() - askedAt >= 990);
    assert.equal(scripted.requests.length, 2);
    assert.equal(scripted.requests[0]?.headers['x-api-key'], 'k-1');
  });

  it('B-INF-021, B-HTTP-011: those who are busy are asked again after 1, 2 and 4 s, or as late as they say, then given up', async () => {
    const waits: number[] = [];
    const pause = (ms: number) => Promise.resolve(void waits.push(ms));
    const told: [string, number][] = [];
    let retryAfter: Record<string, string> = {};
    const { scripted } = await server((response) =>
      sendJson(response, 503, { error: { code: 'ALL_SLOTS_BUSY', message: 'no slot is free' } }, retryAfter),
    );
    const stop = new AbortController().signal;
    const deps = { ...NO_WAIT, pause };
    const http = new ApiHttp({ url: scripted.url, key: undefined }, LIMITS, stop, deps);
    closing.push(() => http.dispatcher.destroy());
    const call: Call = {
      ...{ method: 'POST', path: '/', body: {}, repeatable: true },
      onBusy: (message, ms) => void told.push([message, ms]),
    };
    const error = await failure(http, call);
    assert.deepEqual([error.code, error.exitCode, scripted.requests.length], ['ALL_SLOTS_BUSY', 1, 4]);
    assert.deepEqual(waits, [1_000, 2_000, 4_000]);
    assert.deepEqual(told[0], ['no slot is free', 1_000]);
    retryAfter = { 'retry-after': '3' };
    waits.length = 0;
    await failure(http, call);
    assert.deepEqual(waits, [3_000, 3_000, 4_000]);
    assert.match(String(nextStep('ADMISSION_REJECT')), /drover ps.*try again later/);
  });

  it('B-HTTP-009: a server that stays ill is asked three times, and its envelope is shown as it came', async () => {
    const envelope = { code: 'POOL_UNREADY', message: 'not yet', retriable: true, correlation_id: 'c-1' };
    const { scripted, http } = await server((response) => sendJson(response, 503, envelope));
    const record = (await failure(http, { path: '/v2/pools' })).toRecord(undefined);
    assert.deepEqual(record, { ...envelope, status: 503 });
    assert.equal(scripted.requests.length, 3);
  });

  it("B-HTTP-003: what will not change is asked once, also in OpenAI's dress", async () => {
    const { scripted, http } = await server((response) =>
      sendJson(
        response,
        404,
        { error: { code: 'MODEL_NOT_FOUND', message: 'none', type: 'x', param: null } },
        { 'x-correlation-id': 'c-2' },
      ),
    );
    const { code, message, more } = await failure(http, { path: '/v1/chat/completions' });
    assert.deepEqual([code, message, more.correlationId], ['MODEL_NOT_FOUND', 'none', 'c-2']);
    assert.equal(scripted.requests.length, 1);
  });

  it('B-HTTP-007: a POST is repeated only with a key of its own', async () => {
    const ill = { ...BUSY, code: 'TEMPORAL_UNAVAILABLE' };
    const { scripted, http } = await server((response) => sendJson(response, 503, ill));
    await failure(http, { method: 'POST', path: '/once', body: {} });
    await failure(http, { method: 'POST', path: '/thrice', body: {}, repeatable: true });
    assert.deepEqual([scripted.to('/once').length, scripted.to('/thrice').length], [1, 3]);
  });

  it('B-HTTP-014: nobody listens', async () => {
    const error = await failure(client(`http://127.0.0.1:${await freePort()}`), { path: '/' });
    assert.deepEqual([error.code, error.exitCode], ['HTTP_CONNECTION_FAILED', 1]);
    assert.match(error.message, /ECONNREFUSED/);
  });

  it('B-HTTP-014, B-EXIT-003: nothing is answered: one limit for all attempts, and exit code 124', async () => {
    const { http } = await server(() => undefined, { quickMs: 150 });
    const askedAt = performance.now();
    const error = await failure(http, { path: '/' });
    assert.deepEqual([error.code, error.exitCode], ['HTTP_TIMEOUT', 124]);
    assert.equal(error.more.details?.['timeout_ms'], 150);
    assert.ok(performance.now() - askedAt < 2_000);
  });

  it('B-HTTP-014: an answer that breaks off', async () => {
    const { http } = await server((response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"a":');
      setTimeout(() => response.destroy(), 20);
    });
    assert.equal((await failure(http, { path: '/' })).code, 'HTTP_READ_ERROR');
  });

  it('B-HTTP-014: an answer that is not JSON, and one that is not ours', async () => {
    const { http } = await server((response, { path }) => {
      response.writeHead(path === '/ok' ? 200 : 400, { 'content-type': 'text/html' });
      response.end('<html>');
    });
    assert.equal((await failure(http, { path: '/ok' })).code, 'JSON_PARSE_ERROR');
    const { code, more } = await failure(http, { path: '/bad' });
    assert.deepEqual([code, more.details?.['actual']], ['HTTP_REQUEST_FAILED', 400]);
  });

  it('a connection has 5 s to stand and a quick call 10 s to be answered, and a certificate must be trusted', async () => {
    assert.deepEqual([LIMITS.reachMs, LIMITS.quickMs], [5_000, 10_000]);
    // It takes the connection, and says nothing of what TLS needs.
    const mute = createTcpServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    closing.push(() => once(mute.close(), 'close'));
    const portOf = (listening: { address(): unknown }) => (listening.address() as AddressInfo).port;
    const silent = client(`https://127.0.0.1:${portOf(mute)}`, { reachMs: 100 });
    const late = await failure(silent, { method: 'POST', path: '/' });
    assert.deepEqual([late.code, late.more.details?.['timeout_ms']], ['HTTP_TIMEOUT', 100]);
    const folder = mkdtempSync(join(tmpdir(), 'drover-cli-tls-'));
    const { certFile, keyFile } = selfSignedFiles(folder);
    const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    const secure = createServer(files, (_request, response) => response.end('{}')).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    closing.push(() => once(secure.close(), 'close'));
    const error = await failure(client(`https://127.0.0.1:${portOf(secure)}`), { method: 'POST', path: '/' });
    rmSync(folder, { recursive: true });
    assert.equal(error.code, 'HTTP_CONNECTION_FAILED');
    assert.match(error.message, /self-signed/);
  });

  it('B-CB-001: after five calls in vain the next fails at once', async () => {
    const { scripted, http } = await server((response) => response.destroy());
    for (let call = 0; call < 5; call += 1) await failure(http, { method: 'POST', path: '/' });
    assert.equal((await failure(http, { method: 'POST', path: '/' })).code, 'CIRCUIT_BREAKER_OPEN');
    assert.equal(scripted.requests.length, 5);
  });

  it('a server that refuses in good order keeps its circuit closed', async () => {
    const { scripted, http } = await server((response) =>
      sendJson(response, 503, BUSY, { 'retry-after': '60' }),
    );
    for (let call = 0; call < 6; call += 1) await failure(http, { path: '/' });
    assert.equal(scripted.requests.length, 6);
  });

  it('an interrupted call ends at once', async () => {
    const stop = new AbortController();
    const { http } = await server(() => stop.abort(new Interrupted(130)), {}, stop.signal);
    await assert.rejects(http.send({ path: '/' }), Interrupted);
  });
});
