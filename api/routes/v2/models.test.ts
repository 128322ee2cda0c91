import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { readSettings } from '../../../contracts/settings.js';
import { readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, taskBody, type TestApi } from '../../testing/test-api.js';

const NOW = 1_700_000_000_000;
const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

interface Answer {
  status: number;
  json: Record<string, unknown>;
}

describe('the catalogue', () => {
  let api: TestApi;
  let cache: string;
  let time: number;
  before(async () => {
    cache = await mkdtemp(join(tmpdir(), 'drover-models-'));
  });
  after(() => rm(cache, { recursive: true }));
  beforeEach(async () => {
    time = NOW;
    api = await startTestApi({ env: { DROVER_MODEL_CACHE_DIR: cache }, now: () => time });
  });
  afterEach(() => api.close());

  type Method = 'GET' | 'POST' | 'DELETE';
  const ask = async (method: Method, path: string, body?: unknown, headers = {}): Promise<Answer> => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const options = { headers: { ...type, ...headers }, ...(payload === undefined ? {} : { payload }) };
    const answer = await api.ask(method, `/v2/catalog/${path}`, options);
    const json = answer.body === '' ? {} : answer.json<Record<string, unknown>>();
    return { status: answer.statusCode, json };
  };
  const save = (body: unknown, headers = {}) => ask('POST', 'models', body, headers);
  const metric = async (line: string) => (await api.ask('GET', '/metrics')).body.split('\n').includes(line);
  const submit = async (model_ref: string, task_id = 't-1') => {
    const { statusCode, json } = await api.ask('POST', '/v2/tasks', {
      payload: taskBody({ model_ref, task_id }),
    });
    return [statusCode, json<{ code?: string }>().code];
  };

  it('B-CAT-001, B-CAT-003, B-CAT-004, B-CAT-006, B-CAT-007: 201 with the entry, and defaults for what was not said', async () => {
    const digest = sha256('x');
    const { status, json } = await save({ id: 'm-1', digest });
    assert.equal(status, 201);
    assert.deepEqual(json, {
      id: 'm-1',
      digest,
      local_path: join(cache, 'm-1'),
      lifecycle: 'Active',
      last_verified_ms: null,
      verification: null,
      source_url: null,
      tags: [],
      manifests: [],
      signatures: [],
      sbom: null,
      trust_policy: null,
      created_ms: NOW,
      warnings: ['unsigned'],
    });
    assert.equal(readSettings({}).DROVER_MODEL_CACHE_DIR, join(homedir(), '.cache/models'));
  });

  it('B-CAT-007, B-CAT-008, B-CAT-034: all that is known of a model is kept; again changes what is given, not the lifecycle', async () => {
    const full = {
      id: 'm-1',
      source_url: 'https://models.example/m',
      tags: ['a'],
      manifests: [{ digest: sha256('m'), size_bytes: 7 }],
      signatures: [{ signer: 's', algo: 'ed25519', verified: true, timestamp_ms: 5 }],
      sbom: { uri: 'https://models.example/sbom', digest: sha256('s') },
      trust_policy: {
        mode: 'permissive',
        allowed_registries: ['models.example'],
        require_signature: true,
        require_sbom: true,
        ca_roots: [],
      },
    };
    await save(full);
    await ask('POST', 'models/m-1/state', { state: 'Retired' });
    const { status, json } = await save({ id: 'm-1', tags: ['b'] });
    assert.equal(status, 201);
    const { warnings: _, ...entry } = json;
    assert.deepEqual((await ask('GET', 'models/m-1')).json, entry);
    for (const [name, value] of Object.entries({ ...full, tags: ['b'], lifecycle: 'Retired' })) {
      assert.deepEqual(entry[name], value, name);
    }
  });

  it('B-CAT-002: without an id it says "id required", also under the name "error"', async () => {
    for (const body of [{}, { id: '' }, { digest: sha256('x') }]) {
      const { status, json } = await save(body);
      assert.equal(status, 400);
      assert.equal(json['code'], 'INVALID_PARAMS');
      assert.match(String(json['message']), /^id required/);
      assert.equal(json['error'], json['message']);
    }
  });

  it('B-CAT-003: a digest that is no "<algorithm>:<value>" is refused', async () => {
    for (const digest of ['abc', 'sha256:', ':abc', 'sha256:xyz', `sha256:${'A'.repeat(64)}`, 'a b:c', 7]) {
      assert.equal((await save({ id: 'm', digest })).status, 400, String(digest));
    }
    for (const digest of [sha256('x'), 'blake3:abc', null]) {
      assert.equal((await save({ id: 'm', digest })).status, 201, String(digest));
    }
  });

  it('B-CAT-010, B-CAT-011, B-CAT-012, B-CAT-013: read by id, all in order; a missing one is "not found"', async () => {
    await save({ id: 'b', digest: sha256('b') });
    await save({ id: 'a' });
    const { status, json } = await ask('GET', 'models/b');
    assert.deepEqual([status, json['id'], json['digest']], [200, 'b', sha256('b')]);
    const { models } = (await ask('GET', 'models')).json as { models: { id: string }[] };
    assert.deepEqual(
      models.map(({ id }) => id),
      ['a', 'b'],
    );
    const missing = await ask('GET', 'models/c');
    assert.deepEqual(
      [missing.status, missing.json['message'], missing.json['code']],
      [404, 'not found', 'MODEL_NOT_FOUND'],
    );
  });

  it('B-CAT-020, B-CAT-021, B-CAT-022, B-CAT-024: a verification reads the files, and says when and how it went', async () => {
    await writeFile(join(cache, 'file'), 'weights');
    await save({ id: 'file', digest: sha256('weights') });
    time = NOW + 5;
    const { status, json } = await ask('POST', 'models/file/verify');
    assert.equal(status, 202);
    const verification = { result: 'pass', reason: 'match', digest: sha256('weights') };
    assert.deepEqual(
      [json['last_verified_ms'], json['verification'], json['running']],
      [NOW + 5, verification, false],
    );
    assert.equal((await ask('GET', 'models/file')).json['last_verified_ms'], NOW + 5);
    assert.ok(await metric('catalog_verifications_total{result="pass",reason="match",engine=""} 1'));
    await mkdir(join(cache, 'folder', 'sub'), { recursive: true });
    await writeFile(join(cache, 'folder', 'b'), 'B');
    await writeFile(join(cache, 'folder', 'sub', 'a'), 'A');
    const hex = (text: string) => sha256(text).slice(7);
    await save({ id: 'folder', digest: sha256(`${hex('B')}  b\n${hex('A')}  sub/a\n`) });
    assert.deepEqual((await ask('POST', 'models/folder/verify')).json['verification'], {
      result: 'pass',
      reason: 'match',
      digest: sha256(`${hex('B')}  b\n${hex('A')}  sub/a\n`),
    });
  });

  it('B-CAT-023, B-CAT-024, B-CAT-025: without a digest it passes with a warning; without files, or an id, it does not', async () => {
    await writeFile(join(cache, 'undigested'), 'weights');
    await save({ id: 'undigested' });
    const { verification } = (await ask('POST', 'models/undigested/verify')).json;
    assert.deepEqual(verification, {
      result: 'pass',
      reason: 'no_expected_digest',
      digest: sha256('weights'),
    });
    const warned = api.log.filter(({ event, level }) => event === 'model_verified' && level === 'warn');
    assert.equal(warned.length, 1);
    await save({ id: 'absent', digest: sha256('x') });
    const absent = await ask('POST', 'models/absent/verify');
    assert.deepEqual([absent.status, absent.json['last_verified_ms']], [202, NOW]);
    assert.ok(await metric('catalog_verifications_total{result="fail",reason="files_missing",engine=""} 1'));
    assert.equal((await ask('POST', 'models/nobody/verify')).status, 404);
  });

  it('B-CAT-026, B-DP-050: files that are not what the digest says get no new task, until they are', async () => {
    await writeFile(join(cache, 'demo'), 'other');
    await save({ id: 'demo', digest: sha256('weights') });
    assert.deepEqual(await submit('demo'), [202, undefined]);
    const { verification } = (await ask('POST', 'models/demo/verify')).json;
    assert.deepEqual(verification, { result: 'fail', reason: 'mismatch', digest: sha256('other') });
    assert.ok(await metric('catalog_verifications_total{result="fail",reason="mismatch",engine=""} 1'));
    assert.deepEqual(await submit('demo', 't-2'), [400, 'UNTRUSTED_ARTIFACT']);
    // The pool's model by its other name.
    assert.deepEqual(await submit('file:/models/demo.gguf', 't-2'), [400, 'UNTRUSTED_ARTIFACT']);
    await save({ id: 'demo', digest: sha256('other') });
    assert.equal((await ask('GET', 'models/demo')).json['verification'], null);
    assert.deepEqual(await submit('demo', 't-2'), [202, undefined]);
  });

  it('B-CAT-030, B-CAT-031, B-CAT-032, B-CAT-034, B-CAT-035: the state is stored, and 202 says it', async () => {
    await save({ id: 'm' });
    for (const state of ['Retired', 'Active']) {
      const { status, json } = await ask('POST', 'models/m/state', { state, deadline_ms: 5 });
      assert.deepEqual([status, json['lifecycle'], json['draining_pools']], [202, state, []]);
      assert.equal((await ask('GET', 'models/m')).json['lifecycle'], state);
    }
  });

  it('B-CAT-033, B-CAT-036: another word is refused and changes nothing; an unknown model is 404', async () => {
    await save({ id: 'm' });
    await ask('POST', 'models/m/state', { state: 'Retired' });
    for (const body of [{ state: 'Gone' }, { state: 'active' }, {}, { state: 'Active', deadline_ms: -1 }]) {
      const { status, json } = await ask('POST', 'models/m/state', body);
      assert.deepEqual([status, json['code']], [400, 'INVALID_PARAMS']);
    }
    assert.equal((await ask('GET', 'models/m')).json['lifecycle'], 'Retired');
    assert.equal((await ask('POST', 'models/nobody/state', { state: 'Active' })).status, 404);
  });

  it('B-DP-049, B-CAT-038: a retired model gets no new task at any API, the gauge says so, and both end with it', async () => {
    await save({ id: 'demo' });
    assert.ok(await metric('model_state{model_id="demo",state="Active"} 1'));
    const other = await startTestApi({ store: api.store, nodes: api.nodes, records: api.records });
    await ask('POST', 'models/demo/state', { state: 'Retired' });
    assert.deepEqual(await submit('demo'), [409, 'MODEL_DEPRECATED']);
    const elsewhere = await other.ask('POST', '/v2/tasks', { payload: taskBody() });
    assert.equal(elsewhere.json<{ code: string }>().code, 'MODEL_DEPRECATED');
    await other.close();
    assert.ok(await metric('model_state{model_id="demo",state="Retired"} 1'));
    assert.ok(await metric('model_state{model_id="demo",state="Active"} 0'));
    await ask('POST', 'models/demo/state', { state: 'Active' });
    assert.deepEqual(await submit('demo'), [202, undefined]);
  });

  it('B-CAT-037: retired with a deadline, its pools are drained within it, others are not, and files stay', async () => {
    await writeFile(join(cache, 'demo'), 'weights');
    await save({ id: 'demo' });
    api.nodes.poolsOf.set('node-1', [
      readyPool(),
      readyPool({ pool_id: 'again', model_name: null, model_ref: `file:${join(cache, 'demo')}` }),
      readyPool({ pool_id: 'else', model_name: 'else', model_ref: 'else' }),
      readyPool({ pool_id: 'off', state: 'offline', live: false, ready: false }),
    ]);
    const { json } = await ask('POST', 'models/demo/state', { state: 'Retired', deadline_ms: 700 });
    assert.deepEqual(json['draining_pools'], ['again', 'default']);
    assert.deepEqual(api.records.drains.map(({ pool_id, deadline_ms }) => [pool_id, deadline_ms]).sort(), [
      ['again', 700],
      ['default', 700],
    ]);
    assert.equal(await readFile(join(cache, 'demo'), 'utf8'), 'weights');
  });

  it('B-CAT-040, B-CAT-041, B-CAT-042, B-CAT-043: removed with its files, once no pool serves it', async () => {
    await mkdir(join(cache, 'gone'), { recursive: true });
    await writeFile(join(cache, 'gone', 'part'), 'weights');
    await save({ id: 'gone' });
    api.nodes.poolsOf.set('node-1', [readyPool({ model_name: 'gone' })]);
    const used = await ask('DELETE', 'models/gone');
    assert.deepEqual([used.status, used.json['code']], [409, 'MODEL_IN_USE']);
    assert.ok(existsSync(join(cache, 'gone', 'part')));
    api.nodes.poolsOf.set('node-1', []);
    time += 2_000;
    assert.deepEqual(await ask('DELETE', 'models/gone'), { status: 204, json: {} });
    assert.equal(existsSync(join(cache, 'gone')), false);
    assert.equal((await ask('DELETE', 'models/gone')).status, 404);
    assert.equal(await metric('model_state{model_id="gone",state="Active"} 1'), false);
  });

  it('B-MODEL-009: those of one provider alone are listed where one is asked for', async () => {
    const sources = {
      'from-hub': 'hf:org/repo/a.gguf',
      'from-web': 'https://models.example/b.gguf',
      'from-bucket': 's3://bucket/c.gguf',
      'from-nowhere': null,
    };
    for (const [id, source_url] of Object.entries(sources)) {
      const answer = await save(source_url === null ? { id } : { id, source_url });
      assert.equal(answer.status, 201, id);
    }
    const listed = async (query: string) => {
      const { json } = await ask('GET', `models${query}`);
      return (json['models'] as { id: string }[]).map(({ id }) => id).filter((id) => id.startsWith('from-'));
    };
    assert.deepEqual(await listed('?provider=hf'), ['from-hub']);
    assert.deepEqual(await listed('?provider=s3'), ['from-bucket']);
    assert.deepEqual(await listed('?provider=oci'), []);
    assert.deepEqual(await listed(''), Object.keys(sources).sort());
    assert.equal((await ask('GET', 'models?provider=carrier-pigeon')).status, 400);
  });

  it('B-CAT-054, B-VAL-006: an id with parts of a path is refused; a link out of the cache is neither read nor removed', async () => {
    for (const id of ['..', '../x', '/etc', 'a/b', 'a\\b', '.hidden', 'a..b', 'a\u0000']) {
      assert.equal((await save({ id })).status, 400, id);
      if (id === '..') continue; // A client resolves it: it is no id of the address.
      assert.equal((await ask('GET', `models/${encodeURIComponent(id)}`)).status, 400, id);
      assert.equal((await ask('DELETE', `models/${encodeURIComponent(id)}`)).status, 400, id);
    }
    const outside = await mkdtemp(join(tmpdir(), 'drover-outside-'));
    await writeFile(join(outside, 'precious'), 'weights');
    await symlink(outside, join(cache, 'link'));
    await mkdir(join(cache, 'inner'));
    await symlink(join(outside, 'precious'), join(cache, 'inner', 'link'));
    for (const id of ['link', 'inner']) {
      await save({ id });
      assert.equal((await ask('POST', `models/${id}/verify`)).status, 400, id);
    }
    assert.equal((await ask('DELETE', 'models/link')).status, 400);
    assert.equal((await ask('DELETE', 'models/inner')).status, 204);
    assert.equal(await readFile(join(outside, 'precious'), 'utf8'), 'weights');
    assert.ok(existsSync(cache));
    await rm(outside, { recursive: true });
  });

  it('B-CAT-050, B-CAT-051: a strict header refuses what is unsigned, a permissive one only warns', async () => {
    const strict = { 'x-trust-policy': 'strict' };
    const refused = await save({ id: 'm', digest: sha256('x') }, strict);
    assert.deepEqual([refused.status, refused.json['code']], [400, 'UNTRUSTED_ARTIFACT']);
    assert.equal((await ask('GET', 'models/m')).status, 404);
    const signatures = [{ signer: 's', algo: 'ed25519', verified: true, timestamp_ms: 5 }];
    assert.equal((await save({ id: 'm', signatures }, strict)).status, 400);
    assert.equal((await save({ id: 'm', digest: sha256('x'), signatures }, strict)).status, 201);
    const permissive = await save({ id: 'n' }, { 'x-trust-policy': 'permissive' });
    assert.deepEqual([permissive.status, permissive.json['warnings']], [201, ['unsigned', 'no digest']]);
    assert.ok(api.log.some(({ event, model_id }) => event === 'model_untrusted' && model_id === 'n'));
    assert.equal((await save({ id: 'n' }, { 'x-trust-policy': 'lax' })).status, 400);
  });

  it('B-CAT-050: a header may only harden what the deployment, or the model itself, asks for', async () => {
    const settings = { DROVER_MODEL_CACHE_DIR: cache, DROVER_TRUST_POLICY: 'strict' };
    const other = await startTestApi({ env: settings });
    const lax = { 'content-type': 'application/json', 'x-trust-policy': 'permissive' };
    const answer = await other.ask('POST', '/v2/catalog/models', { headers: lax, payload: '{"id":"m"}' });
    assert.equal(answer.statusCode, 400);
    await other.close();
    const trust_policy = { mode: 'strict' };
    assert.equal((await save({ id: 'm', trust_policy }, { 'x-trust-policy': 'permissive' })).status, 400);
    for (const policy of [
      { require_signature: true },
      { require_sbom: true },
      { allowed_registries: ['models.example'] },
    ]) {
      const source_url = 'https://elsewhere.example/m';
      assert.equal((await save({ id: 'm', source_url, trust_policy: policy })).status, 400);
    }
  });

  it('B-CAT-052: availability says which node serves what, sorted', async () => {
    const nodes = api.nodes.nodeIds;
    assert.deepEqual(nodes, ['node-1']);
    api.nodes.poolsOf.set('node-1', [
      readyPool({ pool_id: 'z', model_name: 'b' }),
      readyPool({ pool_id: 'a', model_name: 'a', ready: false }),
    ]);
    assert.deepEqual((await ask('GET', 'availability')).json, {
      nodes: {
        'node-1': {
          node_id: 'node-1',
          address: '',
          online: true,
          models: ['a', 'b'],
          pools: [
            { pool_id: 'a', ready: false, models: ['a'] },
            { pool_id: 'z', ready: true, models: ['b'] },
          ],
        },
      },
      total_models: 2,
      replicated_models: [],
      single_node_models: ['a', 'b'],
    });
  });
});
