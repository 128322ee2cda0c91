/**
 * Vectors and scores as the engines give them: llama-server by tools/server/README.md ("POST /v1/embeddings", "POST /reranking")
 * and by its own answers, seen on the server of xllamacpp 2026; vLLM by docs.vllm.ai/en/v0.28.0 ("Embeddings API", "Re-rank API",
 * "Matryoshka embeddings"); OpenAI by platform.openai.com/docs/api-reference/embeddings.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError, offendingFields } from '../../../contracts/errors.js';
import type { EngineKind } from '../../../contracts/task.js';
import { enginesOfTests, json, type EngineRoute } from '../../../testing/engine-routes.js';
import { probeWork, workloadsOf } from './probe-work.js';
import { NotOfferedError } from './vectors.js';

const llamacpp = enginesOfTests('llamacpp');
const vllm = enginesOfTests('vllm');
const openai = enginesOfTests('openai');
const tgi = enginesOfTests('tgi');
const signal = () => AbortSignal.timeout(5_000);

const MODEL = 'BAAI/bge-m3';
const models: EngineRoute = (_body, res) => json(res, { object: 'list', data: [{ id: MODEL }] });
const nothing: EngineRoute = (_body, res) => json(res, { detail: 'Not Found' }, 404);
const refusing =
  (status: number, message: string, type = 'BadRequestError'): EngineRoute =>
  (_body, res) =>
    json(res, { error: { message, type, param: null, code: status } }, status);

/** What llama-server says when it was started without the flag. */
const unstarted = (what: string): EngineRoute => {
  const message = `This server does not support ${what}. Start it with \`--${what}\``;
  return refusing(501, message, 'not_supported_error');
};

/** An answer whose vectors are in another order than their inputs. */
const vectors =
  (...embeddings: unknown[]): EngineRoute =>
  (_body, res) => {
    const data = embeddings.map((embedding, index) => ({ object: 'embedding', index, embedding }));
    json(res, {
      object: 'list',
      model: MODEL,
      data: data.reverse(),
      usage: { prompt_tokens: 9, total_tokens: 9 },
    });
  };

const CASES: { kind: EngineKind; start: ReturnType<typeof enginesOfTests>; named: boolean }[] = [
  { kind: 'llamacpp', start: llamacpp, named: false },
  { kind: 'vllm', start: vllm, named: true },
  { kind: 'openai', start: openai, named: true },
];

for (const { kind, start, named } of CASES) {
  test(`B-AD-007: ${kind} is asked for vectors of texts and of ids, and each is that of its input`, async () => {
    let asked: Record<string, unknown> = {};
    const adapter = await start({
      '/v1/models': models,
      '/v1/embeddings': (body, res, req) => {
        asked = body;
        vectors([0.5, -1], [0.25, 2])(body, res, req);
      },
    });
    const said = await adapter.embed?.({ inputs: ['sea', [1, 7]] }, signal());
    const body = { input: ['sea', [1, 7]], encoding_format: 'float' };
    assert.deepEqual(asked, named ? { model: MODEL, ...body } : body);
    assert.deepEqual(said, {
      vectors: [Float32Array.of(0.5, -1), Float32Array.of(0.25, 2)],
      tokensIn: 9,
    });
  });

  test(`B-AD-007: ${kind} is asked for the scores of all documents, and each is that of its document`, async () => {
    let asked: Record<string, unknown> = {};
    const adapter = await start({
      '/v1/models': models,
      '/v1/rerank': (body, res) => {
        asked = body;
        const results = [
          { index: 1, relevance_score: 0.98, document: { text: 'beach' } },
          { index: 0, relevance_score: -4.5, document: { text: 'snow' } },
        ];
        json(res, { id: 'rerank-1', model: MODEL, usage: { total_tokens: 56 }, results });
      },
    });
    const said = await adapter.rerank?.({ query: 'sand', documents: ['snow', 'beach'] }, signal());
    const body = { query: 'sand', documents: ['snow', 'beach'], top_n: 2 };
    assert.deepEqual(asked, named ? { model: MODEL, ...body } : body);
    assert.deepEqual(said, { scores: [-4.5, 0.98], tokensIn: 56 });
  });
}

test('B-AD-008: an engine that does not do it is told apart from one that fails, and nothing it said is repeated', async () => {
  const rows: [EngineRoute, boolean][] = [
    [nothing, true],
    [unstarted('embeddings'), true],
    [refusing(400, "Pooling type 'none' is not OAI compatible. Please use a different pooling type"), true],
    [refusing(400, 'The model does not support Embeddings API'), true],
    [refusing(500, 'secret'), false],
  ];
  for (const [route, isMissing] of rows) {
    const adapter = await llamacpp({ '/v1/embeddings': route });
    await assert.rejects(Promise.resolve(adapter.embed?.({ inputs: ['a'] }, signal())), (err: unknown) => {
      assert.ok(err instanceof DroverError);
      assert.equal(err instanceof NotOfferedError, isMissing);
      assert.equal(err.code, isMissing ? 'INVALID_PARAMS' : 'INTERNAL');
      assert.doesNotMatch(JSON.stringify(err.toEnvelope()), /secret|pooling|flag|--/i);
      return true;
    });
  }
});

test('B-AD-008: what the client may mend is its to mend: dimensions, and an input that is too long', async () => {
  const matryoshka =
    'Model "BAAI/bge-m3" does not support matryoshka representation, changing output dimensions will lead to poor results.';
  const long = "This model's maximum context length is 512 tokens. However, you requested 600 tokens";
  const batch =
    'input (600 tokens) is too large to process. increase the physical batch size (current batch size: 512)';
  const rows = [
    { start: vllm, answer: refusing(400, matryoshka), field: 'dimensions' },
    { start: vllm, answer: refusing(400, long), field: undefined },
    { start: openai, answer: refusing(500, batch, 'server_error'), field: undefined },
    { start: llamacpp, answer: vectors([1]), field: 'dimensions' },
  ];
  for (const { start, answer, field } of rows) {
    const adapter = await start({ '/v1/models': models, '/v1/embeddings': answer });
    const asked = Promise.resolve(adapter.embed?.({ inputs: ['a'], dimensions: 8 }, signal()));
    await assert.rejects(asked, (err: unknown) => {
      assert.ok(err instanceof DroverError && !(err instanceof NotOfferedError));
      assert.deepEqual([err.code, offendingFields(err.extras)[0]?.field], ['INVALID_PARAMS', field]);
      return true;
    });
  }
});

test('dimensions go to an engine that may know them', async () => {
  let asked: unknown;
  const adapter = await vllm({
    '/v1/models': models,
    '/v1/embeddings': (body, res, req) => {
      asked = body['dimensions'];
      vectors([1])(body, res, req);
    },
  });
  await adapter.embed?.({ inputs: ['a'], dimensions: 8 }, signal());
  assert.equal(asked, 8);
});

test('B-AD-011: an answer that is none ends the task with an error of ours, and no vector is made up', async () => {
  const broken: EngineRoute[] = [
    vectors(),
    vectors([1, 'NaN']),
    vectors([1, null]),
    vectors([]),
    vectors('AAAAAA=='),
    (_body, res) => res.writeHead(200).end('<html>'),
    (_body, res) => json(res, { data: [{ index: 7, embedding: [1] }] }),
    (_body, res) => res.writeHead(200).end('null'),
  ];
  for (const route of broken) {
    const adapter = await openai({ '/v1/models': models, '/v1/embeddings': route });
    await assert.rejects(Promise.resolve(adapter.embed?.({ inputs: ['a'] }, signal())), { code: 'INTERNAL' });
  }
});

test('B-AD-011: an engine that dies amid its answer has broken off, so that another may go on', async () => {
  const adapter = await openai({
    '/v1/models': models,
    '/v1/embeddings': (_body, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('{"data":');
      setTimeout(() => res.destroy(), 20);
    },
  });
  await assert.rejects(Promise.resolve(adapter.embed?.({ inputs: ['a'] }, signal())), {
    code: 'WORKER_RESET',
  });
});

const tokenize: EngineRoute = (_body, res) => json(res, { tokens: [1] });
const token: EngineRoute = (_body, res) => json(res, { content: 'b', stop: true });
const scores: EngineRoute = (_body, res) => json(res, { results: [{ index: 0, relevance_score: 1 }] });

test('what an engine does is found out by asking for the smallest piece of each', async () => {
  const rows = [
    [{ '/completion': token }, ['completion']],
    [{ '/completion': token, '/v1/embeddings': vectors([1]) }, ['completion', 'embedding']],
    [{ '/completion': unstarted('x'), '/v1/embeddings': vectors([1]) }, ['embedding']],
    [{ '/completion': unstarted('x'), '/v1/rerank': scores }, ['rerank']],
    [
      { '/completion': token, '/v1/embeddings': unstarted('embeddings'), '/v1/rerank': scores },
      ['completion', 'rerank'],
    ],
  ] as const;
  for (const [routes, workloads] of rows) {
    const adapter = await llamacpp({ '/tokenize': tokenize, ...routes });
    assert.deepEqual(await workloadsOf(adapter, signal()), workloads);
  }
  assert.deepEqual(await workloadsOf(await tgi({}), signal()), ['completion']);
});

test('an engine that does not answer has said nothing of what it does', async () => {
  const adapter = await llamacpp({ '/v1/embeddings': refusing(503, 'Loading model') });
  await assert.rejects(workloadsOf(adapter, signal()), { code: 'POOL_UNREADY' });
});

test('C-036: a probe takes a vector or a score for work, and nothing for none', async () => {
  const embeds = await llamacpp({ '/tokenize': tokenize, '/v1/embeddings': vectors([1]) });
  await probeWork(embeds, signal());
  const ranks = await llamacpp({ '/tokenize': tokenize, '/v1/rerank': scores });
  await probeWork(ranks, signal());
  const idle = await llamacpp({ '/tokenize': tokenize, '/completion': refusing(500, 'out of memory') });
  await assert.rejects(probeWork(idle, signal()), { code: 'INTERNAL' });
});
