import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readyPool } from '../testing/memory-nodes.js';
import { startTestApi, taskBody, type TestApi } from '../testing/test-api.js';

const REF = 'hf:org/repo/tea.gguf';
const POOL = 'model-tea';

describe('a task for a model of the catalogue that no pool serves', () => {
  let api: TestApi;
  let tasks = 0;
  const start = async (backend: string) => {
    api = await startTestApi({ env: { DROVER_MODELS_ON_DEMAND: backend } });
    const payload = { id: 'tea', source_url: REF };
    assert.equal((await api.ask('POST', '/v2/catalog/models', { payload })).statusCode, 201);
    api.records.waitPreload = () => {
      const asleep = { pool_id: POOL, state: 'asleep', ready: false, on_demand: true } as const;
      const names = { model_ref: REF, model_name: 'tea' };
      api.nodes.poolsOf.set('node-1', [readyPool(), readyPool({ ...asleep, ...names })]);
      return Promise.resolve({
        kind: 'done',
        result: { pool_id: POOL, pid: null, handoff_path: null },
      } as const);
    };
  };
  const ask = async (model_ref: string) => {
    const payload = taskBody({ task_id: `pulled-${++tasks}`, model_ref });
    const answer = await api.ask('POST', '/v2/tasks', { payload });
    return [answer.statusCode, answer.json<{ code?: string }>().code];
  };

  beforeEach(() => start('cpu'));
  afterEach(() => api.close());

  it('gets it a pool that sleeps, once, and is placed there', async () => {
    assert.deepEqual(await ask('tea'), [202, undefined]);
    assert.equal(api.nodes.runs.get(`pulled-${tasks}`)?.offer.pool_id, POOL);
    const [{ prepared, asleep } = assert.fail('nothing was preloaded'), ...others] = api.records.preloads;
    const { pool_id, model_ref, model_path, backend, on_demand, config_digest } = prepared;
    assert.deepEqual(
      [pool_id, model_ref, model_path, backend, on_demand, asleep],
      [POOL, REF, '{model_path}', 'cpu', true, true],
    );
    // A change of the configuration file must not take it for one that was in it.
    assert.equal(config_digest, undefined);
    assert.deepEqual(others, []);
    assert.deepEqual(await ask(REF), [202, undefined]);
    assert.equal(api.records.preloads.length, 1);
  });

  it('is refused where the model is retired, is no GGUF, or is not in the catalogue', async () => {
    const made = { id: 'ink', source_url: 'hf:org/repo/ink.safetensors' };
    assert.equal((await api.ask('POST', '/v2/catalog/models', { payload: made })).statusCode, 201);
    assert.deepEqual(await ask('ink'), [404, 'MODEL_NOT_FOUND']);
    assert.deepEqual(await ask('hf:org/repo/none.gguf'), [404, 'MODEL_NOT_FOUND']);
    const retired = { payload: { state: 'Retired' } };
    assert.equal((await api.ask('POST', '/v2/catalog/models/tea/state', retired)).statusCode, 202);
    assert.deepEqual(await ask('tea'), [409, 'MODEL_DEPRECATED']);
    assert.deepEqual(api.records.preloads, []);
  });

  it("leaves a pool alone that has the name and serves something else, and is told so by the model's absence", async () => {
    api.nodes.poolsOf.set('node-1', [readyPool({ pool_id: POOL })]);
    assert.deepEqual(await ask('tea'), [404, 'MODEL_NOT_FOUND']);
    assert.deepEqual(api.records.preloads, []);
  });

  it('comes again later where the node takes long to keep the launch', async () => {
    api.records.waitPreload = () => Promise.resolve({ kind: 'running' });
    assert.deepEqual(await ask('tea'), [503, 'POOL_UNREADY']);
  });

  it('is refused where nothing is loaded for models', async () => {
    await api.close();
    await start('off');
    assert.deepEqual(await ask('tea'), [404, 'MODEL_NOT_FOUND']);
    assert.deepEqual(api.records.preloads, []);
  });
});
