import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Download } from '../../../contracts/download.js';
import { createModels } from '../../../store/models.js';
import { createRecordModel } from '../../catalog/downloads.js';
import { frameOf } from '../../relay/relay-download.js';
import { readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const REF = 'hf:org/repo/m.gguf';
const DIGEST = `sha256:${'ab'.repeat(32)}`;

describe('downloads', () => {
  let api: TestApi;
  let cache: string;
  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'drover-models-'));
    api = await startTestApi({ env: { DROVER_MODEL_CACHE_DIR: cache } });
    api.nodes.poolsOf.set('node-1', [readyPool()]);
  });
  afterEach(async () => {
    await api.close();
    await rm(cache, { recursive: true });
  });

  const post = async (path: string, body: object = {}, options: { remoteAddress?: string } = {}) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await api.ask('POST', path, { payload: body, headers, ...options });
    return { status: answer.statusCode, json: answer.json<Record<string, unknown>>() };
  };
  const ask = (body: object) => post('/v2/catalog/downloads', body);
  const codeOf = ({ json }: { json: Record<string, unknown> }) =>
    (json['code'] ?? (json['error'] as { code: string } | undefined)?.code) as string;
  const progress = async (id: string) => {
    const { statusCode, body } = await api.ask(
      'GET',
      `/v1/models/download/progress?id=${encodeURIComponent(id)}`,
    );
    return { statusCode, events: body.split('\n\n').filter((text) => text !== '') };
  };
  const stands = (id: string, changes: Partial<Download>) => {
    const { downloads } = api.records;
    const known = downloads.known.get(id);
    assert.ok(known);
    downloads.known.set(id, { ...known, ...changes });
  };

  it('B-DL-001, B-MODEL-010: a reference becomes one download a node, however often it is asked for', async () => {
    const first = await ask({ model_ref: REF });
    assert.equal(first.status, 202);
    const second = await post('/v1/models/download', { model_ref: 'org/repo/m.gguf' });
    assert.deepEqual([second.status, second.json], [200, { download_id: first.json['download_id'] }]);
    const [asked, again] = api.records.downloads.started;
    assert.equal(asked?.model_ref, REF);
    assert.equal(asked.model_id, again?.model_id);
    assert.match(asked.model_id, /^org--repo--m-[0-9a-f]{8}\.gguf$/);
    assert.equal(first.json['download_id'], `model:node-1:${asked.model_id}`);
  });

  it('B-DL-001, C-175: a model that is there is answered as complete at once', async () => {
    api.records.downloads.atStart = {
      status: 'completed',
      state: null,
      local_path: '/cache/m',
      digest: DIGEST,
    };
    const { json } = await post('/v1/models/download', { model_ref: REF });
    assert.equal(json['local_path'], '/cache/m');
    assert.equal((await ask({ model_ref: REF })).status, 200);
    const { events } = await progress(String(json['download_id']));
    assert.deepEqual(events, [
      `data: {"stage":"complete","local_path":"/cache/m","digest":"${DIGEST}"}`,
      'data: [DONE]',
    ]);
  });

  it('B-MODEL-006, B-MODEL-025, B-VAL-010, B-VAL-011: what is no reference is refused, and not repeated', async () => {
    for (const model_ref of [
      '',
      'tea',
      'hf:acme',
      'oci://r.example/a:b',
      'file:m.gguf',
      'hf:org/ré',
      'a b/c',
      'hf:o/../r',
    ]) {
      for (const path of ['/v2/catalog/downloads', '/v1/models/download']) {
        const answer = await post(path, { model_ref });
        assert.deepEqual([answer.status, codeOf(answer)], [400, 'INVALID_MODEL_REFERENCE'], model_ref);
        if (model_ref.length > 3)
          assert.equal(JSON.stringify(answer.json).includes(model_ref), false, model_ref);
      }
    }
    assert.deepEqual(api.records.downloads.started, []);
  });

  it('a model of the catalogue is fetched from where it says, with the digest that it says', async () => {
    await post('/v2/catalog/models', { id: 'tea', source_url: REF, digest: DIGEST });
    await ask({ model_ref: 'tea' });
    await ask({ model_ref: REF });
    for (const started of api.records.downloads.started) {
      assert.deepEqual([started.model_id, started.model_ref, started.digest], ['tea', REF, DIGEST]);
    }
    assert.equal(api.records.downloads.started.length, 2);
    await post('/v2/catalog/models', { id: 'homeless' });
    assert.equal(codeOf(await ask({ model_ref: 'homeless' })), 'INVALID_MODEL_REFERENCE');
    await post('/v2/catalog/models', {
      id: 'odd',
      source_url: 's3://bucket/k',
      digest: `sha512:${'a'.repeat(128)}`,
    });
    assert.equal(codeOf(await ask({ model_ref: 'odd' })), 'INVALID_PARAMS');
  });

  it('while a model is fetched with one digest nobody is told that it has another', async () => {
    await ask({ model_ref: REF, digest: DIGEST });
    api.records.downloads.atStart = { digest: DIGEST };
    const other = await ask({ model_ref: REF, digest: `sha256:${'cd'.repeat(32)}` });
    assert.deepEqual([other.status, codeOf(other)], [409, 'DOWNLOAD_CONFLICT']);
  });

  it('a strict installation fetches nothing of which nobody says what it must be', async () => {
    const strict = await startTestApi({
      env: { DROVER_TRUST_POLICY: 'strict', DROVER_MODEL_CACHE_DIR: cache },
    });
    strict.nodes.poolsOf.set('node-1', [readyPool()]);
    const answer = await strict.ask('POST', '/v2/catalog/downloads', { payload: { model_ref: REF } });
    assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [400, 'UNTRUSTED_ARTIFACT']);
    assert.deepEqual(strict.records.downloads.started, []);
    await strict.close();
  });

  it('the node may be named, and must be one; without nodes nobody fetches', async () => {
    const unknown = await ask({ model_ref: REF, node_id: 'nowhere' });
    assert.deepEqual([unknown.status, codeOf(unknown)], [400, 'INVALID_PARAMS']);
    api.nodes.away.add('node-1');
    const nobody = await ask({ model_ref: REF });
    assert.deepEqual([nobody.status, codeOf(nobody)], [503, 'POOL_UNAVAILABLE']);
  });

  it('who waits for the end is told of a failure as of any other', async () => {
    const error = { code: 'MODEL_NOT_FOUND' as const, message: 'there is no such model (404)' };
    api.records.downloads.atStart = { status: 'failed', state: null, error };
    const answer = await ask({ model_ref: REF, wait_ms: 1_000 });
    assert.deepEqual([answer.status, codeOf(answer)], [404, 'MODEL_NOT_FOUND']);
    const told = await post('/v1/models/download', { model_ref: REF });
    const { events } = await progress(String(told.json['download_id']));
    assert.deepEqual(events, [
      'data: {"stage":"error","code":"MODEL_NOT_FOUND","message":"there is no such model (404)"}',
      'data: [DONE]',
    ]);
  });

  it('B-DL-002, B-DL-003, B-DL-004, B-DL-008: a late reader is told first how it stands, then what changes, then the end', async () => {
    const { json } = await ask({ model_ref: REF });
    const id = String(json['download_id']);
    stands(id, { bytes_downloaded: 500, bytes_total: 1_000, bytes_per_second: 1_250_000, eta_ms: 1 });
    const reading = progress(id);
    setTimeout(() => stands(id, { status: 'paused', bytes_downloaded: 700 }), 100);
    setTimeout(() => stands(id, { status: 'completed', local_path: '/cache/m' }), 900);
    const { statusCode, events } = await reading;
    assert.equal(statusCode, 200);
    assert.deepEqual(events, [
      'data: {"stage":"downloading","bytes_downloaded":500,"bytes_total":1000,"speed_mbps":10,"eta_ms":1,"paused":false}',
      'data: {"stage":"downloading","bytes_downloaded":700,"bytes_total":1000,"speed_mbps":10,"eta_ms":1,"paused":true}',
      'data: {"stage":"complete","local_path":"/cache/m","digest":null}',
      'data: [DONE]',
    ]);
  });

  it('B-DL-006: what never was is not found', async () => {
    for (const id of ['model:node-1:none', 'pool:default:preload', 'x']) {
      const { statusCode } = await progress(id);
      assert.equal(statusCode, 404, id);
      assert.equal((await api.ask('GET', `/v2/catalog/downloads/${id}`)).statusCode, 404);
      assert.equal((await post(`/v2/catalog/downloads/${id}/pause`)).status, 404);
    }
  });

  it('B-DL-007: a quiet stream is kept alive by comments', async () => {
    const quiet = await startTestApi({ env: { DROVER_SSE_HEARTBEAT_MS: '50' }, records: api.records });
    const { json } = await ask({ model_ref: REF });
    const id = String(json['download_id']);
    setTimeout(() => stands(id, { status: 'cancelled' }), 300);
    const { body } = await quiet.ask('GET', `/v1/models/download/progress?id=${encodeURIComponent(id)}`);
    assert.match(body, /\n\n: keep-alive\n\n/);
    assert.match(body, /"stage":"error","code":"CANCELLED".*\n\ndata: \[DONE\]\n\n$/);
    await quiet.close();
  });

  it('B-DL-009: what nobody has said is null', () => {
    const unknown: Download = {
      ...{
        download_id: 'd',
        model_id: 'm',
        model_ref: REF,
        node_id: 'n',
        status: 'running',
        state: 'downloading',
      },
      ...{ bytes_downloaded: 5, bytes_total: null, bytes_per_second: 0, eta_ms: null, files_done: 0 },
      ...{ files_total: 1, attempt: 1, last_error: null, local_path: null, digest: null, error: null },
    };
    assert.deepEqual(frameOf(unknown), {
      ...{
        stage: 'downloading',
        bytes_downloaded: 5,
        bytes_total: null,
        speed_mbps: 0,
        eta_ms: null,
        paused: false,
      },
    });
    assert.deepEqual(frameOf({ ...unknown, status: 'failed' }), {
      ...{ stage: 'error', code: 'DOWNLOAD_FAILED', message: 'the download failed' },
    });
  });

  it('a download that runs is paused, resumed and cancelled; one that has ended is not', async () => {
    const { json } = await ask({ model_ref: REF });
    const id = String(json['download_id']);
    for (const deed of ['pause', 'resume', 'cancel']) {
      assert.equal((await post(`/v2/catalog/downloads/${id}/${deed}`)).status, 202);
    }
    assert.deepEqual(api.records.downloads.told, [`pause ${id}`, `resume ${id}`, `cancel ${id}`]);
    stands(id, { status: 'cancelled' });
    const late = await post(`/v2/catalog/downloads/${id}/pause`);
    assert.deepEqual([late.status, codeOf(late)], [409, 'DOWNLOAD_CONFLICT']);
  });

  it('clients may watch; fetching is for operators', async () => {
    const made = await post('/v2/keys', { name: 'watcher', role: 'client' });
    const headers = { 'x-api-key': String(made.json['key']) };
    const { json } = await ask({ model_ref: REF });
    const id = String(json['download_id']);
    assert.equal((await api.ask('GET', `/v2/catalog/downloads/${id}`, { headers })).statusCode, 200);
    for (const path of [
      '/v2/catalog/downloads',
      '/v1/models/download',
      `/v2/catalog/downloads/${id}/cancel`,
    ]) {
      const { statusCode } = await api.ask('POST', path, { headers, payload: { model_ref: REF } });
      assert.equal(statusCode, 403, path);
    }
  });

  it('B-MODEL-005, B-MODEL-007, B-MODEL-008: a model in the cache is registered, and found', async () => {
    const local_path = join(cache, 'tea.gguf');
    const good = await post('/v1/models/register', { model_ref: 'org/repo/tea.gguf', local_path });
    assert.equal(good.status, 201);
    const found = await api.ask('GET', '/v2/catalog/models/tea.gguf');
    assert.equal(found.json<{ source_url: string }>().source_url, 'hf:org/repo/tea.gguf');
    assert.equal(found.json<{ local_path: string }>().local_path, local_path);
    for (const path of [
      '',
      'tea.gguf',
      '/etc/passwd',
      join(cache, 'sub', 'm'),
      cache,
      `${cache}/../m`,
      `${cache}/.m`,
    ]) {
      const answer = await post('/v1/models/register', { model_ref: REF, local_path: path });
      assert.deepEqual([answer.status, codeOf(answer)], [400, 'INVALID_MODEL_PATH'], path);
    }
    const unnamed = await post('/v1/models/register', { model_ref: '', local_path });
    assert.equal(codeOf(unnamed), 'INVALID_MODEL_REFERENCE');
  });

  it('C-167: a caller from elsewhere has no paths here', async () => {
    const body = { model_ref: REF, local_path: join(cache, 'tea.gguf') };
    const answer = await post('/v1/models/register', body, { remoteAddress: '192.0.2.7' });
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'INVALID_MODEL_PATH']);
    assert.equal((await api.ask('GET', '/v2/catalog/models/tea.gguf')).statusCode, 404);
  });

  it('B-MODEL-004: what a node has fetched is in the catalogue, with digest and size, as verified', async () => {
    const models = createModels({ db: api.store.db, now: () => 7 });
    const record = createRecordModel(models);
    const model = {
      model_id: 'm',
      model_ref: REF,
      local_path: '/c/m',
      size_bytes: 5,
      digest: DIGEST,
      quantization: null,
    };
    await record(model);
    await record(model);
    const json = (await api.ask('GET', '/v2/catalog/models/m')).json<Record<string, unknown>>();
    assert.deepEqual([json['digest'], json['source_url'], json['last_verified_ms']], [DIGEST, REF, 7]);
    assert.deepEqual(json['manifests'], [{ digest: DIGEST, size_bytes: 5 }]);
    assert.deepEqual(json['verification'], { result: 'pass', reason: 'match', digest: DIGEST });
    await models.save({ id: 'm', source_url: 'https://mirror.example/m' });
    await record(model);
    assert.equal((await models.get('m'))?.source_url, 'https://mirror.example/m');
  });
});
