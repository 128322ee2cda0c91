/**
 * TGI's answers as its router gives them: StreamResponse, StreamDetails, ChatTokenizeResponse and ErrorResponse of
 * router/src/lib.rs (github.com/huggingface/text-generation-inference, 3.x), and its API at
 * huggingface.github.io/text-generation-inference.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError } from '../../../contracts/errors.js';
import {
  enginesOfTests,
  event,
  gather,
  json,
  textOf,
  type EngineRoute,
} from '../../../testing/engine-routes.js';
import { isHealthy } from './engine-adapter.js';

const engine = enginesOfTests('tgi');
const signal = () => AbortSignal.timeout(5_000);
const input = { kind: 'text' as const, text: 'one' };

const token = (index: number, text: string, rest: object = {}) =>
  event({
    ...{ index, token: { id: 100 + index, text, logprob: -0.5, special: false } },
    ...{ top_tokens: [], generated_text: null, details: null },
    ...rest,
  });
const ending = (finish_reason: string, generated_tokens: number) => ({
  generated_text: 'all of it',
  details: { finish_reason, generated_tokens, seed: null, input_length: 3 },
});

test("B-AD-004: a text is streamed from /generate_stream, in TGI's own parameters, and goes on from what was said", async () => {
  const asked: Record<string, unknown>[] = [];
  const adapter = await engine({
    '/generate_stream': (body, res) => {
      asked.push(body);
      const special = { token: { id: 2, text: '</s>', logprob: 0, special: true } };
      res.end(
        token(1, ' three') + token(2, ' four') + token(3, '', { ...special, ...ending('eos_token', 3) }),
      );
    },
  });
  const greedy = { maxTokens: 5, temperature: 0, topP: 1, seed: 7 };
  const events = await gather(adapter.complete({ ...greedy, input, said: ' two' }, signal()));
  assert.equal(textOf(events), ' three four');
  assert.deepEqual(events.at(-1), {
    ...{ kind: 'end', stopReason: 'EOS', stopSequence: null },
    ...{ tokensIn: 3, tokensOut: 3 },
  });
  await gather(adapter.complete({ maxTokens: 5, temperature: 0.7, topP: 0.9, input, said: '' }, signal()));
  const format = { type: 'json_schema' as const, json_schema: { schema: { type: 'object' } } };
  await gather(adapter.complete({ maxTokens: 5, temperature: 0, format, input, said: '' }, signal()));
  const grammar = { type: 'json', value: { type: 'object' } };
  assert.deepEqual(asked.pop(), {
    inputs: 'one',
    parameters: { max_new_tokens: 5, do_sample: false, grammar },
  });
  assert.deepEqual(asked, [
    { inputs: 'one two', parameters: { max_new_tokens: 5, do_sample: false, seed: 7 } },
    { inputs: 'one', parameters: { max_new_tokens: 5, do_sample: true, temperature: 0.7, top_p: 0.9 } },
  ]);
});

test('B-AD-004: chat turns are rendered by the engine, so that an answer may go on', async () => {
  let asked: unknown;
  const adapter = await engine({
    '/chat_tokenize': (body, res) =>
      json(res, {
        tokenize_response: [],
        templated_text: `<${(body['messages'] as unknown[]).length} turns>`,
      }),
    '/generate_stream': (body, res) => {
      asked = body['inputs'];
      res.end(token(1, 'lo', ending('length', 1)));
    },
  });
  const chat = { kind: 'chat' as const, messages: [{ role: 'user', content: 'hello' }] };
  const events = await gather(adapter.complete({ maxTokens: 1, input: chat, said: 'hel' }, signal()));
  assert.deepEqual([asked, textOf(events), adapter.goesOn('chat')], ['<1 turns>hel', 'lo', true]);
  const ids = { kind: 'ids' as const, ids: [1] };
  await assert.rejects(gather(adapter.complete({ maxTokens: 1, input: ids, said: '' }, signal())), {
    code: 'INVALID_PARAMS',
  });
});

test('B-AD-004: a stop sequence is shown to nobody, however its characters come, and what only began like one is', async () => {
  const rows = [
    [['a ', 'EN', 'D'], 'a ', 'END'],
    [['a E', 'ND b'], 'a ', 'END'],
    [['a EN', 'o'], 'a ENo', null],
    [['a EN'], 'a EN', null],
  ] as const;
  for (const [pieces, shown, matched] of rows) {
    const adapter = await engine({
      '/generate_stream': (_body, res) => {
        const last = pieces.length - 1;
        const reason = matched === null ? 'eos_token' : 'stop_sequence';
        for (const [index, piece] of pieces.entries())
          res.write(token(index, piece, index === last ? ending(reason, pieces.length) : {}));
        res.end();
      },
    });
    const events = await gather(adapter.complete({ maxTokens: 9, stop: ['END'], input, said: '' }, signal()));
    const end = events.at(-1);
    assert.deepEqual([textOf(events), end?.kind === 'end' && end.stopSequence], [shown, matched]);
  }
});

test('B-AD-004: it lives at /health, and the probe generates one token', async () => {
  let status = 503;
  let probed: unknown;
  const adapter = await engine({
    '/health': (_body, res) => res.writeHead(status).end(),
    '/generate': (body, res) => {
      probed = body;
      json(res, { generated_text: 'b' });
    },
  });
  assert.equal(await isHealthy(adapter, signal()), false);
  status = 200;
  assert.equal(await isHealthy(adapter, signal()), true);
  await adapter.probe(signal());
  assert.deepEqual(probed, { inputs: 'a', parameters: { max_new_tokens: 1 } });
});

test('B-AD-008, B-AD-011: what TGI refuses, says amid a stream or leaves out is an error of ours', async () => {
  const amid = (error_type: string) => event({ error: 'secret inside', error_type });
  const rows: [string, EngineRoute][] = [
    [
      'POOL_UNREADY',
      (_body, res) => json(res, { error: 'Model is overloaded', error_type: 'overloaded' }, 429),
    ],
    [
      'INVALID_PARAMS',
      (_body, res) =>
        json(
          res,
          {
            error: '`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000',
            error_type: 'validation',
          },
          422,
        ),
    ],
    ['INTERNAL', (_body, res) => res.end(token(1, 'a') + amid('generation'))],
    ['POOL_UNREADY', (_body, res) => res.end(token(1, 'a') + amid('overloaded'))],
    ['WORKER_RESET', (_body, res) => res.end(token(1, 'a'))],
  ];
  for (const [code, route] of rows) {
    const adapter = await engine({ '/generate_stream': route });
    await assert.rejects(
      gather(adapter.complete({ maxTokens: 9, input, said: '' }, signal())),
      (err: unknown) => {
        assert.ok(err instanceof DroverError);
        assert.equal(err.code, code, err.message);
        assert.equal(err.message.includes('secret'), false);
        return true;
      },
    );
  }
});
