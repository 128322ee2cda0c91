import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { FrameBody } from '../../../contracts/events.js';
import { encodeVector } from '../../../contracts/vector.js';
import { DroverError } from '../../../contracts/errors.js';
import { eventually } from '../../../testing/changes.js';
import { readyPool, type MemoryRun } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const started: FrameBody = {
  type: 'started',
  data: {
    ...{ queue_position: 0, predicted_start_ms: 0, task_id: 't', engine: 'llamacpp', pool_id: 'default' },
    ...{ replica_id: 'r0', model_ref: 'demo', correlation_id: 'c', admitted_at_ms: 1 },
  },
};
const end: FrameBody = {
  type: 'end',
  data: { tokens_out: 0, tokens_in: 7, decode_time_ms: 1, decode_ms: 1, stop_reason: 'EOS' },
};
const said = (i: number, what: object): FrameBody => ({
  type: 'token',
  data: { t: '', i, tokens_in: 7, ...what },
});
const vector = (i: number, ...numbers: number[]) =>
  said(i, { embedding: encodeVector(Float32Array.from(numbers)) });

describe('vectors and scores by their routes', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await startTestApi();
  });
  afterEach(() => api.close());

  /** Posts, has the run say its frames once it is confirmed, and answers with status, body and the run. */
  async function ask(path: string, payload: object, ...frames: FrameBody[]) {
    const answer = (async () => await api.ask('POST', path, { payload: { model: 'demo', ...payload } }))();
    const run = await eventually(
      () => 'no confirmed run',
      () => [...api.nodes.runs.values()].find(({ confirmed, ended }) => confirmed && !ended),
    );
    run.publish(started, ...frames);
    const { statusCode, headers, json } = await answer;
    return { statusCode, headers, body: json<Record<string, unknown>>(), run };
  }
  const inputOf = ({ offer }: MemoryRun) => offer.input;

  for (const [what, input, inputs] of [
    ['a text', 'sea', ['sea']],
    ['texts', ['sea', 'tea'], ['sea', 'tea']],
    ['token ids', [1, 2], [[1, 2]]],
    ['lists of token ids', [[1, 2], [3]], [[1, 2], [3]]],
  ] as const) {
    it(`takes ${what}`, async () => {
      const { statusCode, run } = await ask('/v1/embeddings', { input }, vector(0, 1), end);
      assert.equal(statusCode, 200);
      assert.deepEqual(inputOf(run), { kind: 'embedding', inputs });
      assert.deepEqual([run.offer.request.workload, run.offer.fit_context], ['embedding', true]);
    });
  }

  it('answers with the vectors as numbers, their model and what was read, and names the task', async () => {
    const { body, headers, run } = await ask(
      '/v1/embeddings',
      { input: ['a', 'b'], user: 'someone' },
      vector(0, 0.5, -1),
      vector(1, 0.1, 2),
      end,
    );
    assert.deepEqual(body, {
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: [0.5, -1] },
        { object: 'embedding', index: 1, embedding: [Math.fround(0.1), 2] },
      ],
      model: 'demo',
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
    assert.equal(headers['x-task-id'], run.offer.task_id);
  });

  it('answers in base64 where that is asked for: little-endian floats', async () => {
    const payload = { input: 'a', encoding_format: 'base64' };
    const { body } = await ask('/v1/embeddings', payload, vector(0, 1, -2), end);
    const [{ embedding } = { embedding: '' }] = body['data'] as { embedding: string }[];
    assert.equal(embedding, Buffer.from('0000803f000000c0', 'hex').toString('base64'));
  });

  it('hands the wished length of the vectors on', async () => {
    const { run } = await ask('/v1/embeddings', { input: 'a', dimensions: 8 }, vector(0, 1), end);
    assert.deepEqual(inputOf(run), { kind: 'embedding', inputs: ['a'], dimensions: 8 });
  });

  for (const [field, payload] of [
    ['input', {}],
    ['input', { input: '' }],
    ['input', { input: [] }],
    ['input', { input: [[]] }],
    ['input', { input: ['a', [1]] }],
    ['input', { input: [1.5] }],
    ['input', { input: Array(2049).fill('a') }],
    ['encoding_format', { input: 'a', encoding_format: 'int8' }],
    ['dimensions', { input: 'a', dimensions: 0 }],
  ] as const) {
    it(`refuses by name: ${field} in ${JSON.stringify(payload).slice(0, 40)}`, async () => {
      const { statusCode, json } = await api.ask('POST', '/v1/embeddings', {
        payload: { model: 'demo', ...payload },
      });
      assert.equal(statusCode, 400);
      const { error } = json<{ error: { param: string; code: string } }>();
      assert.deepEqual([error.param.split('.')[0], error.code], [field, 'INVALID_PARAMS']);
      assert.equal(api.nodes.runs.size, 0);
    });
  }

  it('answers with the error that ended the task', async () => {
    const error = new DroverError('INVALID_PARAMS', 'an input does not fit').toEnvelope();
    const { statusCode, body } = await ask('/v1/embeddings', { input: 'a' }, { type: 'error', data: error });
    assert.equal(statusCode, 400);
    assert.deepEqual(body['error'], {
      ...{ message: 'an input does not fit', type: 'invalid_request_error' },
      ...{ param: null, code: 'INVALID_PARAMS' },
    });
  });

  it('is no work of a pool that does none', async () => {
    api.nodes.poolsOf.set('node-1', [readyPool({ workloads: ['completion'] })]);
    for (const [path, payload] of [
      ['/v1/embeddings', { input: 'a' }],
      ['/v1/rerank', { query: 'a', documents: ['b'] }],
    ] as const) {
      const { statusCode, json } = await api.ask('POST', path, { payload: { model: 'demo', ...payload } });
      const { error } = json<{ error: { param: string; code: string } }>();
      assert.deepEqual([statusCode, error.code, error.param], [400, 'INVALID_PARAMS', 'workload']);
    }
    assert.equal(api.nodes.runs.size, 0);
  });

  it('ranks documents: the best first, of equals the one that came first', async () => {
    const documents = ['snow', { text: 'sand' }, 'beach', 'rain'];
    const scores = [-4, 0.5, 3, 0.5].map((relevance_score, i) => said(i, { relevance_score }));
    const { statusCode, body, run } = await ask(
      '/v1/rerank',
      { query: 'sea', documents, return_documents: true },
      ...scores,
      end,
    );
    assert.equal(statusCode, 200);
    assert.deepEqual(inputOf(run), {
      kind: 'rerank',
      query: 'sea',
      documents: ['snow', 'sand', 'beach', 'rain'],
    });
    assert.deepEqual(body, {
      id: `rerank-${run.offer.task_id}`,
      model: 'demo',
      results: [
        { index: 2, relevance_score: 3, document: { text: 'beach' } },
        { index: 1, relevance_score: 0.5, document: { text: 'sand' } },
        { index: 3, relevance_score: 0.5, document: { text: 'rain' } },
        { index: 0, relevance_score: -4, document: { text: 'snow' } },
      ],
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
  });

  it('tells of the best documents alone, and of none its text, unless it is asked to', async () => {
    const scores = [1, 2, 3].map((relevance_score, i) => said(i, { relevance_score }));
    const payload = { query: 'sea', documents: ['a', 'b', 'c'], top_n: 2 };
    const { body } = await ask('/v1/rerank', payload, ...scores, end);
    assert.deepEqual(body['results'], [
      { index: 2, relevance_score: 3 },
      { index: 1, relevance_score: 2 },
    ]);
  });
});
