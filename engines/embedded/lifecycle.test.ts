/** How the embedded engine starts, ends and shares itself: as a real process, which is what a supervisor sees. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { EngineUnderTest, prepareModel, type Chunk } from '../../testing/xllamacpp/engine-under-test.js';

/** Far above what an idle machine takes (60 ms), far below what anybody would wait for. */
const PROMPT_END_MS = 2000;

let model: string;
let remove: () => Promise<void>;
let folder: string;
const engines: EngineUnderTest[] = [];

before(async () => {
  ({ model, remove } = await prepareModel());
  folder = await mkdtemp(join(tmpdir(), 'drover-lifecycle-'));
});
after(async () => {
  await remove();
  await rm(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.end()));
});

test('SIGTERM with open streams ends them with an error event and the process with exit code 0', async () => {
  const engine = await start('--parallel', '2', '--metrics');
  const streams = ['endless', 'forever'].map((prompt) =>
    engine.events<Chunk & { error?: { code: number } }>('/completion', { prompt, temperature: 0 }),
  );
  await Promise.all(streams.map((stream) => stream.next()));
  const queued = engine.post<{ error: { type: string } }>('/completion', { prompt: 'sea' });
  while (!/requests_deferred 1$/m.test(await (await fetch(`${engine.url}/metrics`)).text())) continue;
  const signalledAt = performance.now();
  engine.kill('SIGTERM');
  const lasts = await Promise.all(streams.map(lastOf));
  assert.deepEqual(
    lasts.map((last) => last?.error?.code),
    [503, 503],
  );
  assert.deepEqual([(await queued).status, (await queued).body.error.type], [503, 'unavailable_error']);
  assert.deepEqual(await engine.exited, [0, null]);
  assert.ok(performance.now() - signalledAt < PROMPT_END_MS);
});

test('SIGTERM while the model is loading ends the process with exit code 0', async () => {
  const engine = await spawn('--model', model);
  while ((await statusOf(engine)) !== 503) continue;
  engine.kill('SIGTERM');
  assert.deepEqual(await engine.exited, [0, null]);
});

test('a model that cannot be loaded ends the process with exit code 1 and the reason', async () => {
  const broken = join(folder, 'broken.gguf');
  await copyFile(model, broken);
  await truncate(broken, 3_000_000);
  const rows: readonly (readonly [string, RegExp])[] = [
    [broken, /corrupted or incomplete/],
    [join(folder, 'missing.gguf'), /cannot be read/],
  ];
  for (const [path, reason] of rows) {
    const engine = await spawn('--model', path);
    assert.deepEqual(await engine.exited, [1, null]);
    assert.match(engine.stderr, reason);
    assert.match(engine.lines.at(-1) ?? '', /^\{"event":"failed","message":/);
  }
});

test('a port that is taken ends the process with exit code 1 before anything is loaded', async () => {
  const first = await start();
  const second = await spawn('--model', model, '--port', new URL(first.url).port);
  assert.deepEqual(await second.exited, [1, null]);
  assert.match(second.stderr, /EADDRINUSE/);
});

test('layers on the GPU are refused where there is none, instead of computed on the CPU', async () => {
  const engine = await spawn('--model', model, '--n-gpu-layers', '99');
  // A machine with a GPU takes them.
  const outcome = await Promise.race([
    engine.exited,
    engine.untilHealthy().then(
      () => 'healthy',
      () => engine.exited,
    ),
  ]);
  if (outcome === 'healthy') return;
  assert.deepEqual(outcome, [1, null]);
  assert.match(engine.stderr, /needs a GPU/);
});

describe('a running engine', () => {
  let engine: EngineUnderTest;

  before(async () => {
    engine = await EngineUnderTest.start('embedded', ['--model', model, '--threads', '1', '--parallel', '4']);
  });
  after(() => engine.end());

  test('the events on stdout lead from listening over loading to ready', () => {
    const events = engine.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual([...new Set(events.map(({ event }) => event))], ['listening', 'loading', 'ready']);
    assert.equal(events[0]?.url, engine.url);
    const ready = events.at(-1);
    assert.deepEqual([ready?.backend, ready?.slots, ready?.n_ctx], ['cpu', 4, 4096]);
  });

  test('a short request beside long streams is answered at once, also in a slot that others have used', async () => {
    // Without the gate it waits until a stream ends: node-llama-cpp's loop keeps the context's lock.
    const leaving = new AbortController();
    for (const prompt of ['sea', 'tea', 'rain', 'bread']) await engine.post('/completion', { prompt });
    const background = Array.from({ length: 3 }, () =>
      engine.events(
        '/completion',
        { prompt: 'endless', temperature: 0, cache_prompt: false },
        leaving.signal,
      ),
    );
    await Promise.all(background.map((stream) => stream.next()));
    const drained = background.map(lastOf);
    for (const prompt of ['stars', 'music', 'river', 'garden']) {
      const { body } = await engine.post('/completion', { prompt, temperature: 0 });
      assert.equal(body.stop_type, 'eos');
      assert.equal(await engine.busySlots(), 3);
    }
    leaving.abort();
    await Promise.allSettled(drained);
    await engine.untilBusy(0);
  });

  test('a prompt that a slot remembers is not computed again', async () => {
    const prompt = `${'A long story. '.repeat(40)}Tell me about bread`;
    const first = await engine.post('/completion', { prompt, n_predict: 4, cache_prompt: false });
    const second = await engine.post('/completion', { prompt, n_predict: 4 });
    const third = await engine.post('/completion', { prompt, n_predict: 4, cache_prompt: false });
    const length = first.body.tokens_evaluated;
    assert.deepEqual(
      [first, second, third].map(({ body }) => body.timings?.prompt_n),
      [length, 1, length],
    );
    assert.deepEqual(
      [first, second, third].map(({ body }) => body.timings?.cache_n),
      [0, length - 1, 0],
    );
  });

  test('equal seeds give equal texts, and a JSON schema is kept to', async () => {
    const sample = async (seed: number): Promise<string> =>
      (await engine.post('/completion', { prompt: 'sea', temperature: 1.5, seed, n_predict: 60 })).body
        .content;
    assert.equal(await sample(7), await sample(7));
    const json_schema = { type: 'object', properties: { count: { type: 'integer' } } };
    const { body } = await engine.post('/completion', {
      prompt: 'sea',
      json_schema,
      seed: 1,
      n_predict: 200,
    });
    assert.equal(typeof (JSON.parse(body.content) as { count: unknown }).count, 'number');
  });

  test('a body beyond the limit is refused with 413, and the engine goes on', async () => {
    const reply = await engine.post<{ error: { code: number } }>('/completion', {
      prompt: 'x'.repeat(17 * 1024 * 1024),
    });
    assert.deepEqual([reply.status, reply.body.error.code], [413, 413]);
    assert.equal(
      (await engine.post('/completion', { prompt: 'ping', temperature: 0 })).body.content,
      'Pong.',
    );
  });
});

async function start(...args: string[]): Promise<EngineUnderTest> {
  const engine = await spawn('--model', model, ...args);
  await engine.untilHealthy();
  return engine;
}

async function spawn(...args: string[]): Promise<EngineUnderTest> {
  const engine = await EngineUnderTest.spawn('embedded', ['--threads', '1', ...args]);
  engines.push(engine);
  return engine;
}

async function statusOf({ url }: EngineUnderTest): Promise<number> {
  return fetch(`${url}/health`).then(
    (response) => response.status,
    () => 0,
  );
}

async function lastOf<T>(events: AsyncIterable<T>): Promise<T | undefined> {
  let last: T | undefined;
  for await (const event of events) last = event;
  return last;
}
