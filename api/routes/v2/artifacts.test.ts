import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

let api: TestApi;
before(async () => {
  api = await startTestApi({ now: () => 1_700_000_000_000 });
});
after(() => api.close());

const post = (document: unknown) =>
  api.ask('POST', '/v2/artifacts', {
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(document),
  });
const idOf = async (document: unknown) => (await post(document)).json<{ id: string }>().id;

test('B-ART-001, B-ART-012: any JSON document is stored, and read back exactly as it was posted', async () => {
  for (const document of [
    { z: 1, a: [null, { b: '\u2028' }] },
    [],
    'text',
    0,
    false,
    null,
    { kind: 'diff' },
  ]) {
    const { statusCode, headers, body } = await api.ask('GET', `/v2/artifacts/${await idOf(document)}`);
    assert.equal(statusCode, 200);
    assert.match(String(headers['content-type']), /^application\/json/);
    assert.equal(body, JSON.stringify(document));
  }
});

test('B-ART-004, B-ART-005, B-ART-022: 201 says id, digest, time, kind and tags; a document that says no kind is other', async () => {
  const created = await post({ kind: 'plan', tags: ['x'], steps: [] });
  assert.equal(created.statusCode, 201);
  const { id, ...entry } = created.json<{ id: string }>();
  assert.match(id, /^[0-9a-f]{64}$/);
  const expected = { kind: 'plan', tags: ['x'], digest: `sha256:${id}`, created_ms: 1_700_000_000_000 };
  assert.deepEqual(entry, expected);
  for (const document of [{}, ['plan'], 'plan']) {
    const { kind, tags } = (await post(document)).json<{ kind: string; tags: string[] }>();
    assert.deepEqual([kind, tags], ['other', []]);
  }
  for (const kind of ['summary', 'diff', 'trace', 'transcript', 'logs', 'other']) {
    assert.equal((await post({ kind })).json<{ kind: string }>().kind, kind);
  }
});

test('B-ART-005: a kind that there is not, or a body that is none, is refused by name', async () => {
  const refused = await post({ kind: 'recipe' });
  assert.equal(refused.statusCode, 400);
  const { code, details } = refused.json<{ code: string; details: { field: string }[] }>();
  assert.deepEqual([code, details.map(({ field }) => field)], ['INVALID_PARAMS', ['kind']]);
  const headers = { 'content-type': 'application/json' };
  for (const payload of ['', '{']) {
    const answer = await api.ask('POST', '/v2/artifacts', { headers, payload });
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.json<{ code: string }>().code, 'INVALID_PARAMS');
  }
});

test('B-ART-010, B-ART-013, B-ART-024: read by id or digest; what is neither is 404 and no path', async () => {
  const id = await idOf({ looked: 'up' });
  for (const path of [id, `sha256:${id}`, `sha256%3A${id}`]) {
    assert.equal((await api.ask('GET', `/v2/artifacts/${path}`)).body, '{"looked":"up"}');
  }
  const unknown = [
    '0'.repeat(64),
    id.slice(1),
    id.toUpperCase(),
    `md5:${id}`,
    '..%2f..%2fetc%2fpasswd',
    '%00',
  ];
  for (const path of unknown) {
    const { statusCode, json } = await api.ask('GET', `/v2/artifacts/${path}`);
    assert.deepEqual([path, statusCode, json<{ code: string }>().code], [path, 404, 'ARTIFACT_NOT_FOUND']);
  }
});

test('B-ART-003: an artifact of one API is there for another at once', async () => {
  const other = await startTestApi({ store: api.store });
  const id = await idOf({ from: 'one API' });
  assert.equal((await other.ask('GET', `/v2/artifacts/${id}`)).body, '{"from":"one API"}');
  await other.close();
});
