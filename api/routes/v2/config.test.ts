import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { parseConfigFile } from '../../../contracts/config-file.js';
import { digestOf } from '../../../contracts/pool-entry.js';
import { eventually } from '../../../testing/changes.js';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const fileWith = (pools: Record<string, string>) =>
  `pools:\n${Object.entries(pools)
    .map(([id, more]) => `  - { id: ${id}, model: /models/${id}.gguf, backend: cpu${more} }`)
    .join('\n')}\n`;
const digestIn = (text: string, id: string) =>
  digestOf(parseConfigFile(text, 'f').pools!.find((entry) => entry.id === id)!);

describe('the pools of the configuration file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-config-'));
  const path = join(folder, 'drover.yaml');
  let nodes: MemoryNodes;
  let api: TestApi;
  after(() => rmSync(folder, { recursive: true }));

  const write = (pools: Record<string, string>) => {
    const text = fileWith(pools);
    writeFileSync(path, text);
    return text;
  };
  /** A node on which these pools serve as this file says. */
  const serve = (text: string, ...ids: string[]) =>
    nodes.poolsOf.set(
      'node-1',
      ids.map((pool_id) => readyPool({ pool_id, config_digest: digestIn(text, pool_id) })),
    );
  const reload = () => api.ask('POST', '/v2/config/reload');
  const loaded = () => api.records.preloads.map(({ prepared }) => prepared.pool_id).sort();
  const comes = (what: string, holds: () => boolean) =>
    eventually(
      () => `${what}; the log: ${JSON.stringify(api.log.map(({ event, err }) => [event, err]))}`,
      () => Promise.resolve(holds() ? true : undefined),
    );

  beforeEach(async () => {
    nodes = new MemoryNodes(['node-1']);
    write({ a: '', b: '' });
    api = await startTestApi({ nodes, env: { DROVER_CONFIG: path } });
  });
  afterEach(() => api.close());

  it('are loaded when the API begins to serve, each as its entry says', async () => {
    api.app.poolConfig.start();
    await comes('both preloads', () => new Set(loaded()).size === 2);
    const [order] = api.records.preloads;
    const { prepared, health_timeout_ms } = order!;
    assert.deepEqual(new Set(loaded()), new Set(['a', 'b']));
    assert.equal(prepared.model_path, `/models/${prepared.pool_id}.gguf`);
    assert.match(prepared.config_digest ?? '', /^[0-9a-f]{64}$/);
    assert.equal(health_timeout_ms, 300_000);
  });

  it('one on demand is left asleep, for the first task to wake', async () => {
    write({ a: '', b: ', on_demand: true' });
    await reload();
    await comes('both preloads', () => new Set(loaded()).size === 2);
    const asleep = api.records.preloads.map((order) => [order.prepared.pool_id, order.asleep === true]);
    assert.deepEqual(Object.fromEntries(asleep), { a: false, b: true });
  });

  it('a changed one alone is reloaded, an added one preloaded, a removed one drained, and the others are left alone', async () => {
    const before = fileWith({ a: '', b: '' });
    serve(before, 'a', 'b');
    nodes.poolsOf.get('node-1')!.push(readyPool({ pool_id: 'by-hand' }));
    const first = write({ a: '', b: '', old: '' });
    nodes.poolsOf.get('node-1')!.push(readyPool({ pool_id: 'old', config_digest: digestIn(first, 'old') }));
    await reload();
    write({ a: '', b: ', slots: 2', fresh: '' });
    const answer = await reload();
    assert.deepEqual(
      [answer.statusCode, answer.json()],
      [
        200,
        {
          file: path,
          pools: [
            { pool_id: 'a', change: 'unchanged' },
            { pool_id: 'b', change: 'changed' },
            { pool_id: 'fresh', change: 'added' },
            { pool_id: 'old', change: 'removed' },
          ],
        },
      ],
    );
    const { records } = api;
    await comes('all three', () =>
      [records.reloads, records.drains, records.preloads].every((orders) => orders.length > 0),
    );
    assert.deepEqual(
      [records.reloads, records.drains].map((orders) => new Set(orders.map(({ pool_id }) => pool_id))),
      [new Set(['b']), new Set(['old'])],
    );
    assert.deepEqual(new Set(loaded()), new Set(['fresh']));
    assert.deepEqual([records.reloads[0]?.prepared?.slots_total, records.reloads[0]?.force], [2, false]);
    assert.equal(records.drains[0]?.deadline_ms, 86_400_000);
  });

  it('B-OBS-053: a new file with anything wrong in it is refused with line and path, and the one before stays in force', async () => {
    serve(fileWith({ a: '', b: '' }), 'a', 'b');
    writeFileSync(path, `${fileWith({ a: ', slots: 2' })}  - { id: c, model: relative.gguf }\n`);
    const answer = await reload();
    assert.equal(answer.statusCode, 400);
    const { code, details } = answer.json<{ code: string; details: { field: string; problem: string }[] }>();
    assert.equal(code, 'INVALID_PARAMS');
    assert.deepEqual(details, [
      {
        field: 'pools[1].model',
        problem: 'must be an absolute path or a reference by hf:, https: or s3: (line 3)',
      },
    ]);
    const refused = api.log.find(({ event }) => event === 'config_refused');
    assert.equal(refused?.['error_kind'], 'config_validation_failed');
    api.app.poolConfig.hangUp(); // A signal has no answer, and ends nothing either.
    write({ a: '', b: '' });
    const { pools } = (await reload()).json<{ pools: { change: string }[] }>();
    assert.deepEqual(new Set(pools.map(({ change }) => change)), new Set(['unchanged']));
    assert.deepEqual([api.records.reloads, api.records.drains, api.records.preloads], [[], [], []]);
  });

  it('B-OBS-053, B-OBS-050: SIGHUP has the file read again, and the log says which, without its secrets', async () => {
    const text = `DROVER_API_KEYS: [a-key-of-somebody]\n${fileWith({ c: '' })}`;
    writeFileSync(path, text);
    api.app.poolConfig.hangUp();
    await comes('the preload', () => loaded().includes('c'));
    const line = api.log.find(({ event }) => event === 'config_load');
    assert.deepEqual(
      [line?.['file'], line?.['pools'], typeof line?.['duration_ms']],
      [path, ['c'], 'number'],
    );
    assert.deepEqual(line?.['settings'], { DROVER_API_KEYS: '[REDACTED]' });
    assert.ok(!JSON.stringify(api.log).includes('a-key-of-somebody'));
  });

  it('a pool that is busy is looked at again until its turn comes', async () => {
    serve(fileWith({ a: '', b: '' }), 'a', 'b');
    api.records.running.add('pool:b:drain');
    write({ a: '', b: ', slots: 2' });
    await reload();
    await comes('a try that was refused', () =>
      api.log.some(({ event, pool_id }) => event === 'config_pool_failed' && pool_id === 'b'),
    );
    api.records.running.clear();
    await comes('the reload', () => api.records.reloads.length > 0);
  });

  it('a pool that may be on a node that is away is not loaded a second time', async () => {
    nodes.away.add('node-1');
    api.app.poolConfig.start();
    await comes('a look at the node', () => nodes.calls.length > 1);
    assert.deepEqual(api.records.preloads, []);
    nodes.away.clear();
    serve(fileWith({ a: '', b: '' }), 'a');
    await comes('the other preload', () => loaded().length > 0);
    assert.deepEqual(new Set(loaded()), new Set(['b']));
  });

  it('an API that ends in the middle of a preload leaves it to itself, and is not alarmed', async () => {
    let breakOff: ((err: Error) => void) | undefined;
    api.records.waitPreload = () => new Promise((_, reject) => (breakOff = reject));
    api.app.poolConfig.start();
    await comes('a wait for a preload', () => breakOff !== undefined);
    api.app.poolConfig.close();
    breakOff?.(new Error('the connection is closed'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!api.log.some(({ event }) => event === 'config_pool_failed'));
  });

  it('without a file there is nothing to read', async () => {
    const other = await startTestApi();
    const answer = await other.ask('POST', '/v2/config/reload');
    const { code, message } = answer.json<{ code: string; message: string }>();
    assert.deepEqual([answer.statusCode, code], [400, 'INVALID_PARAMS']);
    assert.match(message, /DROVER_CONFIG/);
    await other.close();
  });
});
