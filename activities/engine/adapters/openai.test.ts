/**
 * Chunks as OpenAI's reference has them (platform.openai.com/docs/api-reference/chat-streaming and /completions), and Triton's
 * health as its server has it (docs.nvidia.com/deeplearning/triton-inference-server, "Health": GET v2/health/ready).
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

const engine = enginesOfTests('openai');
const triton = enginesOfTests('triton');
const signal = () => AbortSignal.timeout(5_000);

const models: EngineRoute = (_body, res) =>
  json(res, { object: 'list', data: [{ id: 'llama' }, { id: 'lora' }] });
const text = (words: string, finish_reason: string | null = null) =>
  event({ object: 'text_completion', choices: [{ index: 0, text: words, finish_reason }] });
const delta = (content: object, finish_reason: string | null = null) =>
  event({ object: 'chat.completion.chunk', choices: [{ index: 0, delta: content, finish_reason }] });
const usage = event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 } });
const DONE = 'data: [DONE]\n\n';
const decoding = { maxTokens: 5, temperature: 0, seed: 7, stop: ['END'] };

test('B-AD-006: a text goes to /v1/completions, and goes on from what was said', async () => {
  let asked: Record<string, unknown> = {};
  const adapter = await engine({
    '/v1/models': models,
    '/v1/completions': (body, res) => {
      asked = body;
      res.end(text(' three') + text(' four', 'length') + usage + DONE);
    },
  });
  const input = { kind: 'text' as const, text: 'one' };
  const events = await gather(adapter.complete({ ...decoding, input, said: ' two' }, signal()));
  assert.equal(textOf(events), ' three four');
  assert.deepEqual(events.at(-1), {
    ...{ kind: 'end', stopReason: 'MAX_TOKENS', stopSequence: null },
    ...{ tokensIn: 9, tokensOut: 2 },
  });
  const { model, prompt, max_tokens, temperature, seed, stop, stream } = asked;
  assert.deepEqual([model, prompt, max_tokens, stream], ['llama', 'one two', 5, true]);
  assert.deepEqual([temperature, seed, stop], [0, 7, ['END']]);
  await gather(adapter.complete({ ...decoding, input: { kind: 'ids', ids: [1, 2] }, said: '' }, signal()));
  assert.deepEqual(asked['prompt'], [1, 2]);
  assert.deepEqual([adapter.goesOn('text'), adapter.goesOn('ids')], [true, false]);
});

test('B-DEAD-004: the engine is told the deadline as it was told to us; whoever has none says none', async () => {
  const told: (string | string[] | undefined)[] = [];
  const answer: EngineRoute = (_body, res, { headers }) => {
    told.push(headers['x-request-deadline']);
    res.end(text('one', 'length') + usage + DONE);
  };
  const adapter = await engine({ '/v1/models': models, '/v1/completions': answer });
  const input = { kind: 'text' as const, text: 'one' };
  const deadlineAtMs = Date.parse('2026-03-01T12:00:00.123Z');
  for (const due of [{ deadlineAtMs }, {}])
    await gather(adapter.complete({ ...decoding, ...due, input, said: '' }, signal()));
  assert.deepEqual(told, ['2026-03-01T12:00:00.123Z', undefined]);
});

test('B-AD-006: chat turns go to /v1/chat/completions, and an answer to them does not go on', async () => {
  let asked: Record<string, unknown> = {};
  const adapter = await engine({
    '/v1/models': models,
    '/v1/chat/completions': (body, res) => {
      asked = body;
      res.end(
        delta({ role: 'assistant', content: null }) + delta({ content: 'hi' }) + delta({}, 'stop') + DONE,
      );
    },
  });
  const input = { kind: 'chat' as const, messages: [{ role: 'user', content: 'hello' }] };
  const events = await gather(adapter.complete({ ...decoding, input, said: '' }, signal()));
  assert.equal(textOf(events), 'hi');
  const end = events.at(-1);
  assert.deepEqual(end?.kind === 'end' && [end.stopReason, end.tokensOut], ['EOS', 0]);
  assert.deepEqual(asked['messages'], input.messages);
  assert.equal(adapter.goesOn('chat'), false);
  await assert.rejects(gather(adapter.complete({ ...decoding, input, said: 'h' }, signal())), {
    code: 'WORKER_RESET',
  });
});

test('B-AD-008, B-AD-011: an engine that lies gives one clear error, and nothing it said is repeated', async () => {
  const amid = event({ error: { message: 'secret inside', type: 'server_error', code: 500 } });
  const rows: [string, EngineRoute][] = [
    ['INTERNAL', (_body, res) => res.end(text('a') + amid)],
    ['WORKER_RESET', (_body, res) => res.end(text('a') + 'data: {"choices": secret\n\n')],
    ['WORKER_RESET', (_body, res) => res.end(text('a', 'stop'))],
    ['WORKER_RESET', (_body, res) => res.end(text('a', 'content_filter') + DONE)],
    ['WORKER_RESET', (_body, res) => res.write(text('a'), () => res.destroy())],
    ['WORKER_RESET', (_body, res) => void res.write(`data: ${'x'.repeat(2_000_000)}`)],
    ['WORKER_RESET', (_body, res) => json(res, { error: 'secret inside' })],
    [
      'WORKER_RESET',
      (_body, res) =>
        res.end(
          Buffer.concat([Buffer.from('data: {"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n\n')]),
        ),
    ],
    [
      'WORKER_RESET',
      (_body, res) => res.writeHead(200, { 'content-length': '9000' }).write(text('a'), () => res.destroy()),
    ],
    ['POOL_UNREADY', (_body, res) => json(res, { error: { message: 'secret inside' } }, 503)],
  ];
  for (const [code, route] of rows) {
    const adapter = await engine({ '/v1/models': models, '/v1/completions': route });
    const input = { kind: 'text' as const, text: 'one' };
    await assert.rejects(
      gather(adapter.complete({ ...decoding, input, said: '' }, signal())),
      (err: unknown) => {
        assert.ok(err instanceof DroverError);
        assert.equal(err.code, code, err.message);
        assert.equal(err.message.includes('secret'), false);
        return true;
      },
    );
  }
});

test('B-AD-005: Triton serves when it says so at its own address, and generates by its front end', async () => {
  let isReady = false;
  let probed: unknown;
  const adapter = await triton({
    '/v2/health/ready': (_body, res) => res.writeHead(isReady ? 200 : 400).end(),
    '/v1/models': models,
    '/v1/chat/completions': (body, res) => {
      probed = body['max_tokens'];
      json(res, { choices: [{ index: 0, message: { role: 'assistant', content: 'a' } }] });
    },
  });
  assert.equal(await isHealthy(adapter, signal()), false);
  isReady = true;
  assert.equal(await isHealthy(adapter, signal()), true);
  await adapter.probe(signal());
  assert.equal(probed, 1);
});
