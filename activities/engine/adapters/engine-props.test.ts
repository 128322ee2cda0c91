import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { engineKind, type EngineKind } from '../../../contracts/task.js';
import { ScriptedServer, sendJson } from '../../../testing/scripted-server.js';
import { adapterFor } from './engine-adapter.js';

const signal = () => AbortSignal.timeout(5_000);

/** The adapter of a kind, to a server that knows these paths; the others it does not have. */
async function engine(t: TestContext, kind: EngineKind, paths: Record<string, unknown>, status = 200) {
  const work = new EventEmitter();
  const [submitted, left] = [once(work, 'submitted'), once(work, 'left')];
  const server = await ScriptedServer.start((response, { path, method }) => {
    if (path in paths) return sendJson(response, status, paths[path]);
    if (method === 'GET') return sendJson(response, 404, {});
    // Work is taken, and never done.
    response.on('close', () => work.emit('left'));
    work.emit('submitted');
  });
  const adapter = adapterFor(kind, server.url);
  t.after(async () => {
    await adapter.close();
    await server.close();
  });
  return Object.assign(adapter, { submitted: () => submitted, left: () => left });
}

const MODELS = { data: [{ id: 'm' }] };
const SLOTS = [{ id: 0, is_processing: true }, { id: 1, is_processing: false }, { id: 2 }];
const rows: readonly [EngineKind, string, Record<string, unknown>, (number | string | null)[]][] = [
  [
    'llamacpp',
    '/health',
    { '/props': { total_slots: 3, build_info: 'b42' }, '/slots': SLOTS },
    [3, 2, 'b42'],
  ],
  ['vllm', '/v1/models', { '/version': { version: '0.28.0' } }, [null, null, '0.28.0']],
  ['tgi', '/health', { '/info': { version: '3.3', max_concurrent_requests: 128 } }, [128, null, '3.3']],
  ['triton', '/v2/health/ready', { '/v2': { name: 'triton', version: '2.60' } }, [null, null, '2.60']],
  ['openai', '/v1/models', {}, [null, null, null]],
];

for (const [kind, health, paths, props] of rows) {
  test(`B-AD-001: the adapter of ${kind} offers health, slots and version, work and its end`, async (t) => {
    const adapter = await engine(t, kind, { ...paths, '/v1/models': MODELS, [health]: MODELS });
    assert.equal(await adapter.health(signal()), 200);
    const { slots_total, slots_free, engine_version } = await adapter.props(signal());
    assert.deepEqual([slots_total, slots_free, engine_version], props);
    const loading = await engine(t, kind, { [health]: {} }, 503);
    assert.equal(await loading.health(signal()), 503, 'live, and not ready');
    const gone = await engine(t, kind, {});
    assert.deepEqual(Object.values(await gone.props(signal())), [null, null, null]);
    const caller = new AbortController();
    const work = { maxTokens: 4, promptIds: [1], input: { kind: 'text' as const, text: 'a' }, said: '' };
    const stream = adapter.complete(work, caller.signal)[Symbol.asyncIterator]();
    const first = stream.next();
    first.catch(() => undefined);
    await adapter.submitted();
    caller.abort();
    await assert.rejects(first);
    await adapter.left();
  });
}

test('B-AD-001: there is no engine without an adapter', () => {
  assert.deepEqual(rows.map(([kind]) => kind).sort(), engineKind.options.toSorted());
});
