import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { llamacppAdapter } from '../activities/engine/adapters/llamacpp.js';
import { DEFAULT_ENGINE_ACCESS, isHealthy } from '../activities/engine/adapters/engine-adapter.js';
import { engineKind } from '../contracts/task.js';
import { freePort } from './free-port.js';
import { startFakeEngine } from './started-engine.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What users get. */
const SHIPPED = 'activities api contracts domain engines security stack store telemetry workers workflows';

test('B-AD-014: the engine of tests says that it is one, has one slot, and fails as it is told to', async (t) => {
  const port = String(await freePort());
  await startFakeEngine(t, ['--port', port, '--lie-healthy']);
  const url = `http://127.0.0.1:${port}`;
  const props = (await (await fetch(`${url}/props`)).json()) as Record<string, unknown>;
  assert.deepEqual([props['build_info'], props['total_slots']], ['mock-stub-v0', 1]);
  const adapter = llamacppAdapter(url, DEFAULT_ENGINE_ACCESS);
  t.after(() => adapter.close());
  const signal = AbortSignal.timeout(5_000);
  assert.equal(await isHealthy(adapter, signal), true);
  await assert.rejects(adapter.probe(signal), { code: 'INTERNAL' });
});

test('B-AD-014: nothing that is shipped knows it, and no pool can ask for its kind', async () => {
  for (const room of SHIPPED.split(' ')) {
    const files = await readdir(join(ROOT, room), { recursive: true });
    for (const file of files.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))) {
      if (file.includes('node_modules')) continue;
      const source = await readFile(join(ROOT, room, file), 'utf8');
      assert.doesNotMatch(source, /fake-engine|mock-stub/, `${room}/${file}`);
    }
  }
  assert.deepEqual(engineKind.options, ['llamacpp', 'vllm', 'tgi', 'triton', 'openai']);
});
