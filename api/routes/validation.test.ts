/** Every route looks at what it is sent before it does anything (nodes-and-workers 12). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { NODE_TOKEN, startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
}
interface Operation {
  parameters?: Parameter[];
  requestBody?: object;
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
}
type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT';

const BAD = encodeURIComponent('\u001b[2J\n');
/** The same draws in every run. */
const SEED = 20_261_122;

describe('what a request brings', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  it('B-VAL-025: is checked by every route that takes anything: a body, a part of the address, a query', async () => {
    const { paths } = api.app.swagger() as unknown as Document;
    let checked = 0;
    for (const [path, operations] of Object.entries(paths)) {
      for (const [verb, { parameters = [], requestBody }] of Object.entries(operations)) {
        for (const request of badRequests(path, parameters, requestBody !== undefined)) {
          const method = verb.toUpperCase() as Method;
          const answer = await api.app.inject({ method, headers: credentials(path), ...request });
          // What is no digest is no artifact (B-ART-024).
          const expected = path === '/v2/artifacts/{id}' ? 404 : 400;
          assert.equal(answer.statusCode, expected, `${method} ${request.url} ${answer.body}`);
          checked += 1;
        }
      }
    }
    assert.ok(checked > 80, String(checked));
  });

  it('B-VAL-020: may be anything at all: of 1000 random bodies each invalid one is a 400, and nothing falls over', async () => {
    const valid = taskBody();
    const odd = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.double(), fc.bigInt().map(String));
    const drawn = fc.record({ field: fc.constantFrom(...Object.keys(valid)), value: odd });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(drawn, async ({ field, value }) => {
        const payload = taskBody({ [field]: value });
        const answer = await api.ask('POST', '/v2/tasks', {
          payload: JSON.stringify(payload),
          headers: JSON_TYPE,
        });
        const mayPass = field === 'prompt' ? typeof value === 'string' : isValid(field, value);
        if (mayPass) return answer.statusCode < 500;
        refused += 1;
        return answer.statusCode === 400;
      }),
      { numRuns: 1_000, seed: SEED },
    );
    assert.ok(refused > 500, String(refused));
    assert.equal((await api.ask('GET', '/v2/meta/version')).statusCode, 200);
  });

  it('B-VAL-020: may be no JSON and no task: nothing but a refusal comes of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), async (payload) => {
        const answer = await api.ask('POST', '/v2/tasks', { payload, headers: JSON_TYPE });
        return answer.statusCode === 400;
      }),
      { numRuns: 1_000, seed: SEED },
    );
  });

  it('B-VAL-014: a backend of a node is cpu, cuda or metal', async () => {
    const ask = (backends: unknown) =>
      api.ask('PATCH', '/v2/registry/beehives/gpu-1', { payload: { backends } });
    assert.equal((await ask(['cpu', 'cuda', 'metal'])).statusCode, 404); // Well formed; there is no such node.
    for (const wrong of ['vulkan', 'CUDA', 'tpu', '', 7])
      assert.equal((await ask([wrong])).statusCode, 400, String(wrong));
  });

  it('B-VAL-015: a device is a whole number from 0', async () => {
    const ask = (cuda: unknown) =>
      api.ask('PATCH', '/v2/registry/beehives/gpu-1', { payload: { devices: { cuda } } });
    for (const right of [0, 2, [0], [0, 7]]) assert.equal((await ask(right)).statusCode, 404);
    for (const wrong of [-1, 0.5, '0', [-1], [0.5], ['0'], null])
      assert.equal((await ask(wrong)).statusCode, 400, JSON.stringify(wrong));
  });

  it('B-VAL-022: has 1 MB of room, and what is larger is a 413', async () => {
    const bodyOf = (bytes: number) => {
      const frame = Buffer.byteLength(JSON.stringify(taskBody({ task_id: `size-${bytes}`, prompt: '' })));
      return JSON.stringify(taskBody({ task_id: `size-${bytes}`, prompt: 'x'.repeat(bytes - frame) }));
    };
    const ask = (bytes: number) =>
      api.ask('POST', '/v2/tasks', { payload: bodyOf(bytes), headers: JSON_TYPE });
    assert.equal((await ask(1_048_576)).statusCode, 202);
    assert.equal((await ask(1_048_577)).statusCode, 413);
  });

  function credentials(path: string): Record<string, string> {
    // An operator's key opens the rest, a node's health among it.
    const forNodes = /^\/v2\/(workers\/register$|nodes(?!\/\{id\}\/(health|drain|resume)$))/;
    if (forNodes.test(path)) return { authorization: `Bearer ${NODE_TOKEN}` };
    return { 'x-api-key': 'key-of-the-tests' };
  }

  /** The request with each of its parts spoilt in turn. */
  function* badRequests(path: string, parameters: Parameter[], hasBody: boolean) {
    const url = path.replaceAll(/\{[^}]+\}/g, 'x');
    if (path.includes('{')) yield { url: path.replaceAll(/\{[^}]+\}/g, BAD) };
    for (const { name } of parameters.filter((parameter) => parameter.in === 'query'))
      yield { url: `${url}?${name}=${BAD}` };
    // Of an artifact only the labels are ours; the rest is the client's.
    const payload = path === '/v2/artifacts' ? { kind: 5 } : ['no object'];
    if (hasBody) yield { url, payload };
  }
});

describe('a client that guesses', () => {
  it('B-VAL-023: gets 429 beyond 50 invalid requests a second, and is heard again when the second is over; others go on', async () => {
    let time = 0;
    // An empty value is the default.
    const env = { DROVER_INVALID_REQUEST_LIMIT: '', DROVER_API_KEYS: 'guesser,other' };
    const api = await startTestApi({ env, now: () => time });
    const ask = async (key: string, over: Record<string, unknown> = { ctx: -1 }) =>
      api.ask('POST', '/v2/tasks', { payload: taskBody(over), headers: { 'x-api-key': key } });
    for (let at = 0; at < 50; at += 1) assert.equal((await ask('guesser')).statusCode, 400);
    time = 400;
    const refused = await ask('guesser');
    assert.equal(refused.statusCode, 429);
    const { code, retry_after_ms, details, policy_label } = refused.json<Record<string, unknown>>();
    assert.deepEqual([code, retry_after_ms, policy_label], ['RATE_LIMITED', 600, 'invalid-requests']);
    assert.equal(details, undefined);
    assert.equal((await ask('other')).statusCode, 400);
    assert.equal((await ask('guesser', { task_id: 'valid' })).statusCode, 202);
    time = 1_000;
    assert.equal((await ask('guesser')).statusCode, 400);
    await api.close();
  });
});

const JSON_TYPE = { 'content-type': 'application/json' };

/** Whether the value may stand in this field of a task; the rules are written once more, apart from the schema. */
function isValid(field: string, value: unknown): boolean {
  const isText = typeof value === 'string';
  if (field === 'task_id' || field === 'session_id') return isText && /^[\w.:-]{1,128}$/.test(value);
  if (field === 'model_ref') return isText && /^[\w.-]{1,128}$/.test(value);
  if (field === 'ctx') return isCount(value, 0);
  if (field === 'max_tokens') return isCount(value, 1);
  if (field === 'deadline_ms') return isCount(value, 1);
  return isText && ['completion', 'embedding', 'rerank', 'llamacpp', 'interactive', 'batch'].includes(value);
}

function isCount(value: unknown, least: number): boolean {
  return Number.isInteger(value) && Number(value) >= least;
}
