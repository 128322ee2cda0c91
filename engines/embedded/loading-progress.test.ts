/** What watchers of a loading model are told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countLayers } from './count-layers.js';
import type { GgufMetadata } from './llama-types.js';
import { EngineServer } from './server.js';
import { WorkerApi } from './worker-api.js';
import { LoadingProgress, type LoadingFrame } from './loading-progress.js';

const NEVER = new AbortController().signal;

async function framesOf(progress: LoadingProgress): Promise<LoadingFrame[]> {
  const frames: LoadingFrame[] = [];
  for await (const frame of progress.follow(NEVER)) frames.push(frame);
  return frames;
}

test('B-LOAD-003: each layer is told once and in order, with the memory that was measured, then the end', async () => {
  const progress = new LoadingProgress();
  const watched = framesOf(progress);
  progress.begin(4);
  progress.note(0.3);
  progress.note(0.3);
  progress.noteVram(3 * 1024 ** 2);
  progress.note(0.8);
  progress.finish();
  const loading = (layers_loaded: number, vram_mb: number) => ({
    ...{ stage: 'loading_to_vram', layers_loaded, layers_total: 4, vram_mb },
  });
  assert.deepEqual(await watched, [
    loading(0, 0),
    loading(1, 0),
    loading(3, 3),
    loading(4, 3),
    { stage: 'ready' },
  ]);
});

test('B-LOAD-004: whoever comes just after the end is told the end; later there is nothing to follow', async () => {
  let nowMs = 1_000;
  const progress = new LoadingProgress(() => nowMs);
  progress.begin(2);
  assert.equal(progress.isTold, true);
  progress.finish();
  nowMs += 10_000;
  assert.equal(progress.isTold, true);
  assert.deepEqual(await framesOf(progress), [{ stage: 'ready' }]);
  nowMs += 1;
  assert.equal(progress.isTold, false);
});

test('a model that cannot be loaded ends the progress with its code', async () => {
  const progress = new LoadingProgress();
  progress.begin(2);
  const watched = framesOf(progress);
  progress.fail('INIT_CRASH', 'no');
  progress.finish();
  assert.deepEqual((await watched).at(-1), { stage: 'error', code: 'INIT_CRASH', message: 'no' });
});

test('a watcher that leaves is forgotten', async () => {
  const leaving = new AbortController();
  const progress = new LoadingProgress();
  const watched = (async () => {
    for await (const frame of progress.follow(leaving.signal)) assert.fail(JSON.stringify(frame));
  })();
  leaving.abort();
  await watched;
});

test('B-LOAD-003: the layers are the blocks that the model names in its header, below its architecture', async () => {
  const layersOf = (metadata: GgufMetadata) =>
    countLayers({ readGgufFileInfo: () => Promise.resolve({ metadata }) }, 'm.gguf');
  assert.equal(await layersOf({ general: { architecture: 'qwen2' }, qwen2: { block_count: 28 } }), 28);
  assert.equal(await layersOf({ general: { architecture: 'qwen2' }, llama: { block_count: 28 } }), 1);
});

test('B-LOAD-004: over HTTP, too, the last frame is told for a while, and then 503', async (t) => {
  let nowMs = 0;
  const progress = new LoadingProgress(() => nowMs);
  const worker = { progress, key: undefined, mostTokens: 1, url: () => '', shutDown: undefined };
  const server = new EngineServer(new WorkerApi(worker));
  t.after(() => server.stop());
  const { url } = await server.listen('127.0.0.1', 0);
  progress.begin(2);
  progress.finish();
  const told = await fetch(`${url}/v1/loading/progress`);
  assert.equal(await told.text(), 'data: {"stage":"ready"}\n\ndata: [DONE]\n\n');
  nowMs = 10_001;
  for (const path of ['/v1/loading/progress', '/v1/progress']) {
    const over = await fetch(url + path);
    const { error } = (await over.json()) as { error: { code: string } };
    assert.deepEqual([over.status, error.code], [503, 'NOT_LOADING']);
  }
});
