/**
 * vLLM's answers as its server gives them: `CompletionStreamResponse` of vllm/entrypoints/openai/completion/protocol.py and the
 * generator of completion/serving.py, `TokenizeResponse` and `DetokenizeResponse` of vllm/entrypoints/serve/tokenize/protocol.py
 * (github.com/vllm-project/vllm at 030ea52e), and docs.vllm.ai/en/v0.28.0/serving/online_serving/openai_compatible_server.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError } from '../../../contracts/errors.js';
import {
  all,
  enginesOfTests,
  event,
  gather,
  json,
  type EngineRoute,
} from '../../../testing/engine-routes.js';
import { isHealthy } from './engine-adapter.js';

const engine = enginesOfTests('vllm');
const signal = () => AbortSignal.timeout(5_000);

const MODEL = 'NousResearch/Meta-Llama-3-8B-Instruct';
const models: EngineRoute = (_body, res) =>
  json(res, { object: 'list', data: [{ id: MODEL, max_model_len: 8192 }] });

/** A chunk of a streamed completion. */
const chunk = (choice: object) =>
  event({
    ...{ id: 'cmpl-1', object: 'text_completion', created: 1_700_000_000, model: MODEL },
    choices: [{ index: 0, logprobs: null, finish_reason: null, stop_reason: null, ...choice }],
  });
const usage = event({
  ...{ id: 'cmpl-1', object: 'text_completion', created: 1_700_000_000, model: MODEL, choices: [] },
  usage: { prompt_tokens: 2, total_tokens: 5, completion_tokens: 3 },
});
const DONE = 'data: [DONE]\n\n';

test('B-AD-003: a completion is asked for by ids, streamed, with the ids of its tokens and the figures of its end', async () => {
  let asked: Record<string, unknown> = {};
  const adapter = await engine({
    '/v1/models': models,
    '/v1/completions': (body, res) => {
      asked = body;
      res.write(chunk({ text: ' one', prompt_token_ids: [1, 2], token_ids: [832] }));
      res.write(chunk({ text: ' two', token_ids: [1403] }));
      res.write(chunk({ text: '', token_ids: [128009], finish_reason: 'stop' }));
      res.end(usage + DONE);
    },
  });
  const events = await all(adapter);
  const { model, prompt, max_tokens, stream, return_token_ids, stream_options } = asked;
  assert.deepEqual([model, prompt, max_tokens], [MODEL, [1, 2], 4]);
  assert.deepEqual([stream, return_token_ids, stream_options], [true, true, { include_usage: true }]);
  assert.deepEqual(
    events
      .filter(({ kind }) => kind === 'tokens')
      .map((said) => said.kind === 'tokens' && [said.ids, said.text]),
    [
      [[832], ' one'],
      [[1403], ' two'],
      [[128009], ''],
    ],
  );
  assert.deepEqual(events.at(-1), {
    ...{ kind: 'end', stopReason: 'EOS', stopSequence: null },
    ...{ tokensIn: 2, tokensOut: 3 },
  });
});

test('B-AD-003: why it stopped is told apart: its own end, a stop token, a stop string, the limit', async () => {
  const rows = [
    [{ finish_reason: 'stop', stop_reason: null }, 'EOS', null],
    [{ finish_reason: 'stop', stop_reason: 128001 }, 'EOS', null],
    [{ finish_reason: 'stop', stop_reason: 'END' }, 'STOP_SEQUENCE', 'END'],
    [{ finish_reason: 'length' }, 'MAX_TOKENS', null],
  ] as const;
  for (const [choice, stopReason, stopSequence] of rows) {
    const adapter = await engine({
      '/v1/models': models,
      '/v1/completions': (_body, res) =>
        res.end(chunk({ text: 'a', token_ids: [64], ...choice }) + usage + DONE),
    });
    const end = (await all(adapter)).at(-1);
    assert.deepEqual(end?.kind === 'end' && [end.stopReason, end.stopSequence], [stopReason, stopSequence]);
  }
});

test("B-AD-003: a format goes to vLLM in OpenAI's words, and one that it cannot bind to is the client's to mend", async () => {
  let asked: unknown;
  const refused = { error: { message: 'Invalid JSON schema: secret', type: 'BadRequestError', code: 400 } };
  const adapter = await engine({
    '/v1/models': models,
    '/v1/completions': (body, res) => {
      asked = body['response_format'];
      json(res, refused, 400);
    },
  });
  const format = { type: 'json_schema' as const, json_schema: { name: 'n', schema: { type: 'nonsense' } } };
  const said = gather(adapter.complete({ promptIds: [1], maxTokens: 4, format }, signal()));
  await assert.rejects(said, { code: 'INVALID_PARAMS', message: /response_format/ });
  assert.deepEqual(asked, format);
});

test('B-AD-003: prompts, chat turns and what goes on after them are cut by the engine itself', async () => {
  const asked: Record<string, unknown>[] = [];
  const adapter = await engine({
    '/v1/models': models,
    '/tokenize': (body, res) => {
      asked.push(body);
      json(res, { count: 2, max_model_len: 8192, tokens: [128000, 15339], token_strs: null });
    },
    '/detokenize': (body, res) => json(res, { prompt: `of ${String(body['tokens'])}` }),
  });
  const messages = [{ role: 'user', content: 'hello' }];
  assert.deepEqual(await adapter.tokenize({ kind: 'text', text: 'hello' }, signal()), [128000, 15339]);
  await adapter.tokenize({ kind: 'chat', messages }, signal());
  await adapter.tokenizeRest(' there', signal());
  assert.deepEqual(await adapter.tokenize({ kind: 'ids', ids: [7] }, signal()), [7]);
  assert.deepEqual(asked, [
    { model: MODEL, prompt: 'hello', add_special_tokens: true },
    { model: MODEL, messages, add_generation_prompt: true },
    { model: MODEL, prompt: ' there', add_special_tokens: false },
  ]);
  assert.equal(await adapter.detokenize([832, 1403], signal()), 'of 832,1403');
});

test('B-AD-003: it lives when it lists its model, and the probe generates one token, because health can lie', async () => {
  let status = 503;
  let asked: Record<string, unknown> = {};
  const adapter = await engine({
    '/v1/models': (body, res, req) => (status === 200 ? models(body, res, req) : json(res, {}, status)),
    '/tokenize': (_body, res) => json(res, { count: 2, max_model_len: 8192, tokens: [128000, 64] }),
    '/v1/completions': (body, res) => {
      asked = body;
      json(res, { id: 'cmpl-1', object: 'text_completion', choices: [{ index: 0, text: 'b' }] });
    },
  });
  assert.equal(await isHealthy(adapter, signal()), false);
  status = 200;
  assert.equal(await isHealthy(adapter, signal()), true);
  await adapter.probe(signal());
  assert.deepEqual(asked, { model: MODEL, prompt: [128000], max_tokens: 1 });
});

test('B-AD-008, B-AD-011: what vLLM refuses, breaks off, or says amid a stream is an error of ours, and nothing it said is repeated', async () => {
  const tooLong = {
    error: {
      message:
        "This model's maximum context length is 8192 tokens. However, you requested 9000 secret tokens.",
      ...{ type: 'BadRequestError', param: null, code: 400 },
    },
  };
  const broken = { error: { message: 'secret inside', type: 'InternalServerError', param: null, code: 500 } };
  const said = chunk({ text: 'a', token_ids: [64] });
  const rows: [string, EngineRoute][] = [
    ['INVALID_PARAMS', (_body, res) => json(res, tooLong, 400)],
    ['INTERNAL', (_body, res) => json(res, broken, 500)],
    ['INTERNAL', (_body, res) => res.end(said + event(broken) + DONE)],
    ['WORKER_RESET', (_body, res) => res.end(said)],
    ['WORKER_RESET', (_body, res) => res.end(said + DONE)],
    ['WORKER_RESET', (_body, res) => res.end(chunk({ text: '', finish_reason: 'abort' }) + DONE)],
    ['WORKER_RESET', (_body, res) => res.end('data: {"choices":[{\n\n')],
  ];
  for (const [code, route] of rows) {
    const adapter = await engine({ '/v1/models': models, '/v1/completions': route });
    await assert.rejects(all(adapter), (err: unknown) => {
      assert.ok(err instanceof DroverError);
      assert.equal(err.code, code, err.message);
      assert.equal(err.message.includes('secret'), false);
      return true;
    });
  }
});
