/** Text that could forge a log line, colour a terminal, run in a shell, a database or a page: nowhere does it get through. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KEY, NODE_TOKEN, startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

/** Stands in every bad value, so that it is found wherever the value went. */
const MARK = 'zq7';

const FORGING = {
  'a line end': `${MARK}\n{"level":"info","event":"forged"}`,
  'a carriage return': `${MARK}\r`,
  'an ANSI escape': `\u001b[31m${MARK}`,
  'a C1 escape': `\u009b31m${MARK}`,
  'a null byte': `${MARK}\0`,
};
const RUNNING = {
  'a command': `${MARK};reboot`,
  'a substitution': `$(${MARK})`,
  'a redirection': `${MARK}>out`,
  'a job': `${MARK}&`,
  backticks: `\`${MARK}\``,
  'a pipe': `${MARK}|sh`,
  SQL: `${MARK}'; DROP TABLE models; --`,
  HTML: `<script>${MARK}()</script>`,
  'an absolute path': `/etc/${MARK}`,
};

/** Every place where a request brings an id or a reference. */
const PLACES: Record<string, (bad: string) => { method: 'GET' | 'POST'; url: string; payload?: object }> = {
  'the id of a task': (task_id) => post('/v2/tasks', taskBody({ task_id })),
  'the session of a task': (session_id) => post('/v2/tasks', taskBody({ session_id })),
  'the model of a task': (model_ref) => post('/v2/tasks', taskBody({ model_ref })),
  'the pool of a task': (bad) =>
    post('/v2/tasks', taskBody({ placement: { mode: 'pin', pin_pool_id: bad } })),
  'the name of a node': (bad) => post('/v2/registry/beehives/remove', { node_name: bad }),
  'the pool of a worker': (pool_id) => post('/v2/workers/register', { pool_id }),
  'the replica of a worker': (replica_id) => post('/v2/workers/register', { replica_id }),
  'a model of the catalogue': (id) => post('/v2/catalog/models', { id }),
  'a model to fetch': (model_ref) => post('/v2/catalog/downloads', { model_ref }),
  'a model to note': (model_ref) => post('/v1/models/download', { model_ref }),
  'a task in the address': (id) => get('/v2/tasks/', id),
  'a session in the address': (id) => get('/v2/sessions/', id),
  'a pool in the address': (id) => get('/v2/pools/', id, '/health'),
  'a node in the address': (id) => get('/v2/registry/beehives/', id),
  'a model in the address': (id) => get('/v2/catalog/models/', id),
  'a worker in the address': (id) => get('/v2/workers/', id),
  'an operation in the address': (id) => get('/v2/operations/', id),
  'a download in the address': (id) => get('/v2/catalog/downloads/', id),
  'the node of a query': (id) => get('/v2/workers/list?node=', id),
};

function post(url: string, payload: object) {
  return { method: 'POST' as const, url, payload };
}

function get(before: string, id: string, behind = '') {
  return { method: 'GET' as const, url: `${before}${encodeURIComponent(id)}${behind}` };
}

describe('ids and references that are poisoned', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  /** Sends a bad value to this place: it is refused, and nobody repeats it. */
  async function refuses(place: string, what: string, bad: string): Promise<void> {
    api.log.length = 0;
    const { method, url, payload } = PLACES[place]?.(bad) ?? assert.fail(place);
    const isWorker = url === '/v2/workers/register';
    const headers = isWorker
      ? { 'x-api-key': '', authorization: `Bearer ${NODE_TOKEN}` }
      : { 'x-api-key': KEY };
    const answer = await api.ask(method, url, { headers, ...(payload === undefined ? {} : { payload }) });
    assert.equal(answer.statusCode, 400, `${what} as ${place}: ${answer.body}`);
    assert.equal(answer.body.includes(MARK), false, `${what} as ${place} comes back`);
    assert.equal(JSON.stringify(api.log).includes(MARK), false, `${what} as ${place} is logged`);
  }

  for (const place of Object.keys(PLACES)) {
    it(`B-VAL-001, B-VAL-002, B-VAL-003, B-VAL-024: ${place} holds no line end, escape or null byte, and none reaches a log line`, async () => {
      for (const [what, bad] of Object.entries(FORGING)) await refuses(place, what, bad);
    });
    it(`B-VAL-007, B-VAL-008, B-VAL-009, B-VAL-019, B-VAL-024: ${place} holds nothing that a shell or a page reads, and it is not echoed`, async () => {
      for (const [what, bad] of Object.entries(RUNNING)) await refuses(place, what, bad);
    });
  }

  it('B-VAL-018: SQL changes nothing in the store, and where any text is welcome it is kept as text', async () => {
    const sql = `'); DROP TABLE models; --`;
    assert.equal((await api.ask('POST', '/v2/catalog/models', { payload: { id: 'tea' } })).statusCode, 201);
    assert.equal((await api.ask('POST', '/v2/catalog/models', { payload: { id: sql } })).statusCode, 400);
    const tagged = { id: 'ink', tags: [sql] };
    assert.equal((await api.ask('POST', '/v2/catalog/models', { payload: tagged })).statusCode, 201);
    const listed = await api.ask('GET', '/v2/catalog/models');
    const { models } = listed.json<{ models: { id: string; tags: string[] }[] }>();
    assert.deepEqual(
      models.map(({ id, tags }) => [id, tags]),
      [
        ['ink', [sql]],
        ['tea', []],
      ],
    );
  });

  for (const ref of [
    'hf:org/ré',
    'file:/modèles/a.gguf',
    'https://exämple.org/a.gguf',
    'https://example.org/ä.gguf',
    's3://bucket/ключ',
    'oci://registry.example/模型:1',
    'démo',
  ]) {
    it(`B-VAL-021: ${ref} is no reference, for it is not ASCII`, async () => {
      for (const [path, payload] of [
        ['/v2/tasks', taskBody({ model_ref: ref })],
        ['/v2/catalog/downloads', { model_ref: ref }],
        ['/v1/models/download', { model_ref: ref }],
        ['/v1/chat/completions', { model: ref, messages: [{ role: 'user', content: 'hi' }] }],
      ] as const) {
        assert.equal((await api.ask('POST', path, { payload })).statusCode, 400, path);
      }
      const query = `/v2/workers/list?model_ref=${encodeURIComponent(ref)}`;
      assert.equal((await api.ask('GET', query)).statusCode, 400);
    });
  }

  it('B-VAL-005: a client elsewhere names no path of this machine, whatever it asks for', async () => {
    for (const place of Object.keys(PLACES)) await refuses(place, 'an absolute path', `/etc/${MARK}`);
    const payload = { model_ref: 'hf:org/repo', local_path: `/etc/${MARK}` };
    const answer = await api.ask('POST', '/v1/models/register', { payload, remoteAddress: '192.0.2.7' });
    assert.equal(answer.statusCode, 400);
    assert.match(answer.body, /on this machine alone.*INVALID_MODEL_PATH/);
    assert.equal(answer.body.includes(MARK), false);
  });

  it('B-VAL-026: a prompt may hold any of it, and every script there is', async () => {
    const texts = [
      ...Object.values(FORGING),
      ...Object.values(RUNNING),
      'Ünïcödé 模型 ключ 🍵 \u202e \ufeff',
    ];
    for (const [at, prompt] of texts.entries()) {
      const payload = taskBody({ task_id: `any-${at}`, prompt });
      const answer = await api.ask('POST', '/v2/tasks', { payload });
      assert.equal(answer.statusCode, 202, answer.body);
      assert.deepEqual(api.nodes.runs.get(`any-${at}`)?.offer.input, { kind: 'text', text: prompt });
    }
  });
});
