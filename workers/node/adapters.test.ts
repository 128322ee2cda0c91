import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { test, type TestContext } from 'node:test';
import { settingsSchema } from '../../contracts/settings.js';
import { all, gather, json } from '../../testing/engine-routes.js';
import {
  isHealthy,
  type IdsAdapter,
  type TextAdapter,
} from '../../activities/engine/adapters/engine-adapter.js';
import { adaptersOf } from './adapters.js';

const KEY = 'sk-the-key-of-this-engine';

/** An engine that says with what it was asked, and repeats a key that it does not know. */
async function anEngine(t: TestContext, wanted: string) {
  const shown: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    shown.push(req.headers.authorization);
    req.resume();
    const message = `Incorrect API key provided: ${req.headers.authorization ?? 'none'}`;
    if (req.headers.authorization !== `Bearer ${wanted}`) return void json(res, { error: { message } }, 401);
    const model = { data: [{ id: 'm' }] };
    if (req.method === 'GET') return void json(res, model);
    res.end('data: {"choices":[{"text":"yes","finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, shown };
}

test('B-AD-012: an engine is shown its own key, at every call, and no other engine sees it', async (t) => {
  const [mine, other] = [await anEngine(t, KEY), await anEngine(t, 'another')];
  const settings = settingsSchema.parse({ DROVER_NODE_ENGINE_KEYS: `${mine.host}=${KEY}` });
  const adapterOf = adaptersOf(settings);
  const adapter = adapterOf('openai', `http://${mine.host}`) as TextAdapter;
  t.after(() => adapter.close());
  assert.equal(await isHealthy(adapter, AbortSignal.timeout(5_000)), true);
  const asked = { input: { kind: 'text' as const, text: 'a' }, said: '', maxTokens: 4 };
  const events = await gather(adapter.complete(asked, AbortSignal.timeout(5_000)));
  assert.ok(events.some((said) => said.kind === 'tokens' && said.text === 'yes'));
  assert.ok(mine.shown.length >= 2 && mine.shown.every((key) => key === `Bearer ${KEY}`));
  const stranger = adapterOf('openai', `http://${other.host}`);
  t.after(() => stranger.close());
  assert.equal(await isHealthy(stranger, AbortSignal.timeout(5_000)), false);
  assert.deepEqual(other.shown, [undefined]);
});

test('B-AD-012: what an engine says of a key that it refuses is in no failure', async (t) => {
  const { host } = await anEngine(t, 'another');
  const settings = settingsSchema.parse({ DROVER_NODE_ENGINE_KEYS: `${host}=${KEY}` });
  for (const kind of ['vllm', 'llamacpp'] as const) {
    const adapter = adaptersOf(settings)(kind, `http://${host}`) as IdsAdapter;
    t.after(() => adapter.close());
    await assert.rejects(all(adapter), (err: unknown) => {
      assert.equal(inspect(err, { depth: 10, showHidden: true }).includes(KEY), false);
      return true;
    });
  }
});

test('B-AD-012: an entry that is no key of an engine is refused by its place, and not repeated', () => {
  const read = settingsSchema.safeParse({ DROVER_NODE_ENGINE_KEYS: `127.0.0.1:1=a,${KEY}` });
  assert.equal(read.success, false);
  const said = JSON.stringify(read.error.issues);
  assert.match(said, /entry 2 is not <host>:<port>=<key>/);
  assert.equal(said.includes(KEY), false);
});
