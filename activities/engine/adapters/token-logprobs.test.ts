/**
 * Log probabilities as engines tell them: llama-server's as llama.cpp's own server sent them (xllamacpp 2026.10.11549, `n_probs`
 * of github.com/ggml-org/llama.cpp, tools/server/README.md), vLLM's `CompletionLogProbs` of
 * vllm/entrypoints/openai/completion/protocol.py (docs.vllm.ai/en/v0.28.0), TGI's `Token` and `top_tokens` of router/src/lib.rs
 * (3.x), OpenAI's as its reference has them (platform.openai.com/docs/api-reference/chat and /completions).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TokenLogprob } from '../../../contracts/logprobs.js';
import { enginesOfTests, event, gather, json, type EngineRoute } from '../../../testing/engine-routes.js';
import type { EngineEvent } from './engine-adapter.js';

const signal = () => AbortSignal.timeout(5_000);
const models: EngineRoute = (_body, res) => json(res, { object: 'list', data: [{ id: 'llama' }] });
const DONE = 'data: [DONE]\n\n';
const decoding = { maxTokens: 4, temperature: 0 };
const text = { kind: 'text' as const, text: 'one' };

const llamacpp = enginesOfTests('llamacpp');
const vllm = enginesOfTests('vllm');
const tgi = enginesOfTests('tgi');
const openai = enginesOfTests('openai');

const likely = (token: string, logprob: number, bytes: number[] | null = [...Buffer.from(token)]) => ({
  ...{ token, logprob, bytes },
});
const told = (events: readonly EngineEvent[]): TokenLogprob[] =>
  events.flatMap((said) => (said.kind === 'tokens' ? [...(said.logprobs ?? [])] : []));

test('llama-server tells them by n_probs, of one token at least, and no more of them are shown than were asked for', async () => {
  const asked: unknown[] = [];
  const others = [
    { id: 806, ...likely(' hot', -0.25) },
    { id: 365, ...likely(' the', -8.5) },
  ];
  const adapter = await llamacpp({
    '/completion': (body, res) => {
      asked.push(body['n_probs']);
      const completion_probabilities = [{ id: 806, ...likely(' hot', -0.25), top_logprobs: others }];
      res.write(event({ content: ' hot', tokens: [806], stop: false, completion_probabilities }));
      res.end(event({ content: '', tokens: [], stop: true, stop_type: 'limit' }));
    },
  });
  const ask = async (logprobs?: number) =>
    told(await gather(adapter.complete({ ...decoding, promptIds: [1], logprobs }, signal())));
  assert.deepEqual(await ask(2), [
    { ...likely(' hot', -0.25), top_logprobs: [likely(' hot', -0.25), likely(' the', -8.5)] },
  ]);
  assert.deepEqual(await ask(0), [{ ...likely(' hot', -0.25), top_logprobs: [] }]);
  assert.deepEqual(await ask(), []);
  assert.deepEqual(asked, [2, 1, undefined]);
});

test('llama-server lists n_probs among its settings, and an engine that does not is refused by the name of the field', async () => {
  let params: object | undefined = { n_probs: 0 };
  const adapter = await llamacpp({
    '/props': (_body, res) => json(res, { default_generation_settings: { params } }),
  });
  await adapter.check?.({ input: text, logprobs: 0 }, signal());
  params = { temperature: 0.8 };
  await adapter.check?.({ input: text }, signal());
  await assert.rejects(async () => adapter.check?.({ input: text, logprobs: 0 }, signal()), {
    code: 'INVALID_PARAMS',
    extras: {
      details: [
        { field: 'logprobs', problem: 'the engine of this model does not tell them, or not so many' },
      ],
    },
  });
  params = undefined;
  await adapter.check?.({ input: text, logprobs: 0 }, signal());
});

test('vLLM tells them as lists, where the chosen token may come beside the likeliest, and part of a character has no bytes', async () => {
  let asked: unknown;
  const adapter = await vllm({
    '/v1/models': models,
    '/v1/completions': (body, res) => {
      asked = body['logprobs'];
      const logprobs = {
        ...{ text_offset: [0, 4], tokens: [' hot', '\uFFFD'], token_logprobs: [-2.5, null] },
        top_logprobs: [{ ' hot': -2.5, ' the': -0.25 }, null],
      };
      const choice = { index: 0, text: ' hot', token_ids: [806, 9], logprobs, finish_reason: 'length' };
      res.end(event({ choices: [choice] }) + DONE);
    },
  });
  const events = await gather(adapter.complete({ ...decoding, promptIds: [1], logprobs: 1 }, signal()));
  assert.equal(asked, 1);
  assert.deepEqual(told(events), [
    { ...likely(' hot', -2.5), top_logprobs: [likely(' the', -0.25)] },
    { ...likely('\uFFFD', -9999, null), top_logprobs: [] },
  ]);
});

test('TGI tells them of every token, and others by top_n_tokens; those of a stop sequence come without text', async () => {
  const asked: Record<string, unknown>[] = [];
  const adapter = await tgi({
    '/generate_stream': (body, res) => {
      asked.push(body['parameters'] as Record<string, unknown>);
      const token = (said: string, logprob: number) => ({ id: 1, text: said, logprob, special: false });
      const details = { finish_reason: 'stop_sequence', generated_tokens: 2, input_length: 3 };
      res.write(event({ token: token(' hot', -0.5), top_tokens: [token(' hot', -0.5)], details: null }));
      res.end(event({ token: token('END', -0.75), top_tokens: [], details }));
    },
  });
  const ask = (logprobs?: number) =>
    gather(adapter.complete({ ...decoding, input: text, said: '', stop: ['END'], logprobs }, signal()));
  const events = await ask(3);
  assert.deepEqual(told(events), [
    { ...likely(' hot', -0.5), top_logprobs: [likely(' hot', -0.5)] },
    { ...likely('END', -0.75), top_logprobs: [] },
  ]);
  assert.deepEqual(
    events.flatMap((said) => (said.kind === 'tokens' ? [said.text] : [])),
    [' hot', ''],
  );
  assert.deepEqual([told(await ask(0)).length, told(await ask()).length], [2, 0]);
  assert.deepEqual(
    asked.map(({ top_n_tokens }) => top_n_tokens),
    [3, undefined, undefined],
  );
});

test("a server in OpenAI's words is asked for them in the words of each route", async () => {
  const asked: Record<string, unknown>[] = [];
  const answer =
    (choice: object): EngineRoute =>
    (body, res) => {
      asked.push(body);
      res.end(event({ choices: [{ index: 0, finish_reason: 'stop', ...choice }] }) + DONE);
    };
  const content = [{ ...likely('hi', -0.5), top_logprobs: [likely('hi', -0.5)] }];
  const adapter = await openai({
    '/v1/models': models,
    '/v1/chat/completions': answer({ delta: { content: 'hi' }, logprobs: { content, refusal: null } }),
    '/v1/completions': answer({ text: 'hi', logprobs: { tokens: ['hi'], token_logprobs: [-0.5] } }),
  });
  const chat = { kind: 'chat' as const, messages: [{ role: 'user', content: 'hello' }] };
  const ask = async (input: typeof chat | typeof text, logprobs?: number) =>
    told(await gather(adapter.complete({ ...decoding, input, said: '', logprobs }, signal())));
  assert.deepEqual(await ask(chat, 1), content);
  assert.deepEqual(await ask(text, 1), [{ ...likely('hi', -0.5), top_logprobs: [] }]);
  assert.deepEqual(await ask(chat), []);
  const [withChat, withText, without] = asked;
  assert.deepEqual([withChat?.['logprobs'], withChat?.['top_logprobs']], [true, 1]);
  assert.deepEqual([withText?.['logprobs'], without?.['logprobs']], [1, undefined]);
});
