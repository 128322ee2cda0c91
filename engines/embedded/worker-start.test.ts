/** How a worker starts and ends, and what it tells meanwhile: the embedded engine as a real process. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, test } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { allEvents, eventsOf, type SentEvent, type WorkerBody } from '../../testing/worker-events.js';
import { EngineUnderTest, prepareModel } from '../../testing/xllamacpp/engine-under-test.js';

const KEY = 'the-key-of-this-worker';
/** Blocks of the demo model. */
const LAYERS = 1;

let model: string;
let remove: () => Promise<void>;
const engines: EngineUnderTest[] = [];

before(async () => {
  ({ model, remove } = await prepareModel());
});
after(() => remove());
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.end()));
});

async function spawn(args: readonly string[], env: Record<string, string> = {}): Promise<EngineUnderTest> {
  const engine = await EngineUnderTest.spawn('embedded', ['--model', model, '--threads', '1', ...args], env);
  engines.push(engine);
  return engine;
}

/** Asks until somebody listens. */
function reached({ url }: EngineUnderTest, path: string): Promise<Response> {
  return eventually(
    () => 'the engine to listen',
    () => fetch(url + path).catch(() => undefined),
  );
}

test('B-LOAD-001, B-LOAD-003, B-INF-011: while it loads it says so, and tells its layers one after the other to the end', async () => {
  for (const path of ['/v1/loading/progress', '/v1/progress']) {
    const engine = await spawn([]);
    const asked = { job_id: 'j', prompt: 'sea', max_tokens: 1 };
    // One answer is enough to know that it listens; all three are asked before it can have loaded.
    await reached(engine, '/v1/ready');
    const [progress, ready, refused] = await Promise.all([
      fetch(engine.url + path),
      engine.get<WorkerBody>('/v1/ready'),
      engine.post<WorkerBody>('/v1/inference', asked),
    ]);
    assert.match(progress.headers.get('content-type') ?? '', /^text\/event-stream/);
    const progress_url = `${engine.url}/v1/loading/progress`;
    assert.deepEqual(ready, { status: 200, body: { ready: false, state: 'loading', progress_url } });
    assert.deepEqual(
      [refused.status, refused.body.error?.code, refused.body.error?.['state']],
      [503, 'WORKER_LOADING', 'loading'],
    );
    const frames = (await allEvents(progress)).map(({ data }) => data);
    const loading = (layers_loaded: number) => ({
      ...{ stage: 'loading_to_vram', layers_loaded, layers_total: LAYERS, vram_mb: 0 },
    });
    assert.deepEqual(frames, [
      ...Array.from({ length: LAYERS + 1 }, (_, layers) => loading(layers)),
      { stage: 'ready' },
      { done: true },
    ]);
    assert.equal((await engine.get('/health')).status, 200);
  }
});

test('B-WRK-007, B-WRK-008: it tells that it is up before the model is loaded, again until it is heard, with its key', async (t) => {
  const heard: {
    headers: IncomingHttpHeaders;
    path: string | undefined;
    body: unknown;
    isLoading: boolean;
  }[] = [];
  const listener = createServer((request, response) => {
    void (async () => {
      const body = JSON.parse(await text(request)) as { url: string };
      const headers = { authorization: `Bearer ${KEY}` };
      const ready = (await (await fetch(`${body.url}/v1/ready`, { headers })).json()) as { state: string };
      const { headers: told, url: path } = request;
      heard.push({ headers: told, path, body, isLoading: ready.state === 'loading' });
      response.writeHead(heard.length === 1 ? 503 : 200).end('{}');
    })();
  }).listen(0, '127.0.0.1');
  t.after(() => listener.close());
  await once(listener, 'listening');
  const callback = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/v1/workers/ready`;
  const who = [
    '--worker-id',
    'node-1:default:r0',
    '--model-ref',
    'hf:o/r',
    '--backend',
    'cpu',
    '--device',
    'GPU0',
  ];
  const engine = await spawn([...who, '--callback-url', callback], { DROVER_WORKER_KEY: KEY });
  await engine.untilHealthy();
  await eventually(
    () => 'the callback to be accepted',
    () => Promise.resolve(engine.lines.some((line) => line.includes('called_back')) || undefined),
  );
  assert.equal(heard.length, 2);
  assert.equal(heard[0]?.isLoading, true);
  for (const { headers, path, body } of heard) {
    assert.deepEqual([headers.authorization, path], [`Bearer ${KEY}`, '/v1/workers/ready']);
    assert.deepEqual(body, {
      ...{
        worker_id: 'node-1:default:r0',
        url: engine.url,
        model_ref: 'hf:o/r',
        backend: 'cpu',
        device: 'GPU0',
      },
    });
  }
});

test('B-WRK-006: a worker that shall name a URL without scheme, host or port does not start', async () => {
  for (const url of ['ftp://h:1', 'http://h', 'http://:80', 'h:80', 'http://h:0', 'http://h:70000']) {
    const engine = await spawn(['--worker-url', url]);
    assert.deepEqual([url, await engine.exited], [url, [1, null]]);
    assert.match(engine.stderr, /INVALID_WORKER_URL/);
  }
});

test('B-WST-014: a worker that is told to end takes nothing new, lets what runs come to its end, and exits with 0', async () => {
  const engine = await spawn(['--parallel', '2'], { DROVER_WORKER_KEY: KEY });
  await engine.untilHealthy();
  const headers = { authorization: `Bearer ${KEY}` };
  const ask = (body: object) =>
    fetch(`${engine.url}/v1/inference`, { method: 'POST', headers, body: JSON.stringify(body) });
  const running = eventsOf(await ask({ job_id: 'a', prompt: 'endless', max_tokens: 300, temperature: 0 }));
  await running.next();
  const told = await fetch(`${engine.url}/v1/admin/shutdown`, { method: 'POST', headers });
  assert.equal(told.status, 202);
  const refused = await ask({ job_id: 'b', prompt: 'sea', max_tokens: 1 });
  assert.deepEqual(
    [refused.status, ((await refused.json()) as WorkerBody).error?.code],
    [503, 'WORKER_DRAINING'],
  );
  let last: SentEvent | undefined;
  for await (const event of running) last = event;
  assert.deepEqual([last?.event, last?.data['tokens_out']], ['end', 300]);
  assert.deepEqual(await engine.exited, [0, null]);
});
