import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError } from '../../../contracts/errors.js';
import { all, enginesOfTests, event, gather, json } from '../../../testing/engine-routes.js';
import { adapterFor, isHealthy, type IdsAdapter } from './engine-adapter.js';

const engine = enginesOfTests('llamacpp');
const signal = () => AbortSignal.timeout(5_000);
const refusedWith = (code: string) => (err: unknown) => err instanceof DroverError && err.code === code;

test('B-AD-002: a completion is asked for by ids, streamed, with the ids of its tokens', async () => {
  let asked: Record<string, unknown> = {};
  const adapter = await engine({
    '/completion': (body, res) => {
      asked = body;
      res.write(event({ content: 'one', tokens: [5], stop: false }));
      res.end(
        event({
          content: '',
          tokens: [],
          stop: true,
          stop_type: 'eos',
          tokens_evaluated: 2,
          tokens_predicted: 1,
        }),
      );
    },
  });
  const events = await all(adapter);
  assert.deepEqual(asked['prompt'], [1, 2]);
  assert.deepEqual([asked['stream'], asked['return_tokens'], asked['n_predict']], [true, true, 4]);
  assert.deepEqual(events, [
    { kind: 'tokens', ids: [5], text: 'one' },
    { kind: 'end', stopReason: 'EOS', stopSequence: null, tokensIn: 2, tokensOut: 1 },
  ]);
});

test('B-STR-014: a character and an event that network chunks split come out whole', async () => {
  const bytes = Buffer.from(event({ content: 'tea ☕', tokens: [7, 8], stop: false }));
  const cut = bytes.indexOf(Buffer.from('☕')) + 1;
  const adapter = await engine({
    '/completion': (_body, res) => {
      res.write(bytes.subarray(0, cut), () => {
        setImmediate(() => {
          res.write(': ping\n\n');
          res.end(bytes.subarray(cut));
        });
      });
    },
  });
  // The comment stands inside the event on purpose: the bytes before it make the line unreadable, never silently wrong.
  await assert.rejects(all(adapter));
  const whole = await engine({
    '/completion': (_body, res) => {
      res.write(bytes.subarray(0, cut), () =>
        setImmediate(() => {
          res.write(bytes.subarray(cut));
          res.end(event({ content: '', stop: true, stop_type: 'limit' }));
        }),
      );
    },
  });
  assert.deepEqual((await all(whole))[0], { kind: 'tokens', ids: [7, 8], text: 'tea ☕' });
});

test('B-AD-008, B-AD-009: what an engine answers becomes a code of ours, and nothing it said is repeated', async () => {
  const rows: [number, object, string][] = [
    [503, { error: { message: 'Loading model' } }, 'POOL_UNREADY'],
    [400, { error: { type: 'exceed_context_size_error', message: 'secret inside' } }, 'INVALID_PARAMS'],
    [500, { error: { message: 'secret inside' } }, 'INTERNAL'],
    [429, {}, 'POOL_UNREADY'],
  ];
  for (const [status, body, code] of rows) {
    const adapter = await engine({ '/completion': (_body, res) => json(res, body, status) });
    await assert.rejects(all(adapter), (err: unknown) => {
      assert.ok(err instanceof DroverError);
      assert.equal(err.code, code, String(status));
      assert.equal(err.message.includes('secret'), false);
      return true;
    });
  }
});

test('B-AD-011: a stream that ends without its last event is a WORKER_RESET, broken or not', async () => {
  const quiet = await engine({
    '/completion': (_b, res) => res.end(event({ content: 'a', tokens: [1], stop: false })),
  });
  await assert.rejects(all(quiet), refusedWith('WORKER_RESET'));
  const broken = await engine({
    '/completion': (_b, res) =>
      res.write(event({ content: 'a', tokens: [1], stop: false }), () => res.destroy()),
  });
  await assert.rejects(all(broken), refusedWith('WORKER_RESET'));
});

test('B-DP-182: an engine that falls silent is given up with DECODE_TIMEOUT', async () => {
  const waits = { firstByteMs: 2_000, idleMs: 1_100 };
  const silent = await engine(
    { '/completion': (_b, res) => void res.write(event({ content: 'a', tokens: [1] })) },
    waits,
  );
  await assert.rejects(all(silent), refusedWith('DECODE_TIMEOUT'));
});

test('an engine that is gone is POOL_UNAVAILABLE', async () => {
  const adapter = adapterFor('llamacpp', 'http://127.0.0.1:1') as IdsAdapter;
  await assert.rejects(all(adapter), refusedWith('POOL_UNAVAILABLE'));
  await adapter.close();
});

test('a request on a connection that the engine dropped meanwhile is sent once more', async () => {
  let calls = 0;
  const adapter = await engine({
    '/tokenize': (_body, res, req) => {
      calls += 1;
      if (calls === 2) req.socket.destroy();
      else json(res, { tokens: [calls] });
    },
  });
  assert.deepEqual(await adapter.tokenize({ kind: 'text', text: 'a' }, signal()), [1]);
  assert.deepEqual(await adapter.tokenize({ kind: 'text', text: 'a' }, signal()), [3]);
});

test('chat turns are rendered by the engine itself', async () => {
  const adapter = await engine({
    '/apply-template': (body, res) => json(res, { prompt: `<${(body['messages'] as unknown[]).length}>` }),
    '/tokenize': (body, res) => json(res, { tokens: [String(body['content']).length] }),
  });
  const input = { kind: 'chat' as const, messages: [{ role: 'user', content: 'hi' }] };
  assert.deepEqual(await adapter.tokenize(input, signal()), [3]);
});

test('B-DP-210: leaving the stream closes it at the engine', async () => {
  let closed: (() => void) | undefined;
  const left = new Promise<void>((resolve) => (closed = resolve));
  const adapter = await engine({
    '/completion': (_body, res) => {
      res.write(event({ content: 'a', tokens: [1], stop: false }));
      res.on('close', () => closed?.());
    },
  });
  for await (const batch of adapter.complete({ promptIds: [1], maxTokens: 4 }, signal())) {
    assert.equal(batch.length, 1);
    break;
  }
  await left;
});

test('B-PRELOAD-012, B-PRELOAD-015: an engine is healthy at 200 and not while it loads', async () => {
  let status = 503;
  const adapter = await engine({ '/health': (_body, res) => json(res, {}, status) });
  assert.equal(await isHealthy(adapter, signal()), false);
  status = 200;
  assert.equal(await isHealthy(adapter, signal()), true);
});

test('an answer is bound to its schema, any JSON object where that is all that was asked for', async () => {
  const asked: unknown[] = [];
  const adapter = await engine({
    '/completion': (body, res) => {
      asked.push(body['json_schema']);
      res.end(event({ content: '{}', tokens: [1], stop: true, stop_type: 'eos' }));
    },
  });
  const ask = { promptIds: [1], maxTokens: 4 };
  const json_schema = { schema: { type: 'object', required: ['n'] } };
  await gather(adapter.complete({ ...ask, format: { type: 'json_schema', json_schema } }, signal()));
  await gather(adapter.complete({ ...ask, format: { type: 'json_object' } }, signal()));
  await gather(adapter.complete(ask, signal()));
  assert.deepEqual(asked, [json_schema.schema, { type: 'object' }, undefined]);
});
