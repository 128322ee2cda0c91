import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { poolNode } from '../../testing/pool-node.js';

async function startedWith(t: Parameters<typeof poolNode>[0], flags: readonly string[]) {
  const node = await poolNode(t);
  const prepared = await node.prepared(flags);
  const engine = await node.run('spawnEngine', prepared);
  await eventually(
    () => 'the engine to listen',
    async () => (await fetch(`${engine.url}/fake`).catch(() => undefined))?.ok,
  );
  return { node, starting: { prepared, engine } };
}

test('an engine that generates a token has proved itself', async (t) => {
  const { node, starting } = await startedWith(t, []);
  await node.run('probeEngine', starting);
  const { tasks } = (await (await fetch(`${starting.engine.url}/fake`)).json()) as { tasks: number };
  assert.equal(tasks, 1);
});

test('an engine whose health lies is found out: its health check failed, and may be tried again', async (t) => {
  const { node, starting } = await startedWith(t, ['--lie-healthy']);
  await node.run('awaitEngineReady', starting); // It says that it is healthy.
  await assert.rejects(node.run('probeEngine', starting), {
    type: 'HealthTimeout',
    nonRetryable: false,
    message: /health check failed: pool gpu-0 at http:\/\/127\.0\.0\.1:\d+ generates no token/,
  });
  assert.ok(node.logged.some(({ event }) => event === 'engine_probe_failed'));
});
