/** Pools on GPUs: those of a tool that a test wrote, for engines that use none. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { handoff } from '../../contracts/handoff.js';
import { nodeDevices } from '../../contracts/node.js';
import type { FakeGpu } from '../../testing/fake-gpus.js';
import { eventually } from '../../testing/changes.js';
import type { Answer } from '../support/api-client.js';
import { NamedPool } from '../support/named-pool.js';
import { PRELOAD_WAIT_MS } from '../support/engines.js';
import type { DroverWorld } from '../support/world.js';

/** `0, 1 and 2`, or `0, and 1 without free memory`. */
function gpusOf(words: string): FakeGpu[] {
  const full = / without free memory$/.test(words);
  const indices = words.match(/\d+/g) ?? [];
  return indices.map((index, at) => ({
    index,
    ...(full && at === indices.length - 1 ? { freeMib: 0 } : {}),
  }));
}

async function preload(world: DroverWorld, pool_id: string, device_mask: string): Promise<Answer> {
  const fake = await world.stack.prepareFakeEngine([]);
  const prepared = { ...fake, pool_id, device_mask, backend: 'cuda' as const };
  const body = { prepared, wait_ms: PRELOAD_WAIT_MS };
  return world.http.send('POST', `/v2/pools/${pool_id}/preload`, { body });
}

function pool(world: DroverWorld, poolId: string): NamedPool {
  return new NamedPool(world.stack, poolId);
}

Given('a fresh installation with the GPUs {string}', async function (this: DroverWorld, words: string) {
  await this.useFreshStack({ preload: false, gpus: gpusOf(words) });
});

When(
  'the pool {string} is preloaded on the devices {string}',
  async function (this: DroverWorld, poolId: string, mask: string) {
    const { status, text } = await preload(this, poolId, mask);
    assert.equal(status, 200, text);
  },
);

When(
  'a preload of the pool {string} is tried on the devices {string}',
  async function (this: DroverWorld, poolId: string, mask: string) {
    await preload(this, poolId, mask);
  },
);

When('the GPUs come to be {string}', async function (this: DroverWorld, words: string) {
  await this.stack.mustGpus().change(gpusOf(words));
});

Then(
  'the engine of {string} sees the devices {string}, and that of {string} sees {string}',
  async function (this: DroverWorld, one: string, ones: string, other: string, others: string) {
    for (const [poolId, devices] of [
      [one, ones],
      [other, others],
    ] as const) {
      const { env } = await pool(this, poolId).engine();
      const { CUDA_VISIBLE_DEVICES: seen, CUDA_DEVICE_ORDER: order } = env;
      assert.deepEqual([seen, order], [devices, 'PCI_BUS_ID'], poolId);
    }
  },
);

Then(
  'the pool {string} is shown with the mask {string}, and so is its handoff',
  async function (this: DroverWorld, poolId: string, mask: string) {
    const { device_mask } = await pool(this, poolId).status();
    const told = handoff.parse(JSON.parse(await pool(this, poolId).handoffText()));
    assert.deepEqual([device_mask, told.device_mask], [mask, mask]);
  },
);

Then('no engine of {string} was started', function (this: DroverWorld, poolId: string) {
  for (const name of [`${poolId}.spawn.json`, `engine-${poolId}.log`])
    assert.equal(existsSync(this.stack.pool.file(name)), false, name);
});

Then('the pool {string} is ready', async function (this: DroverWorld, poolId: string) {
  const { ready, last_error } = await pool(this, poolId).status();
  assert.deepEqual([ready, last_error], [true, null]);
});

Then(
  'the pool {string} comes to be {string}, not ready, and its last error has {string}',
  async function (this: DroverWorld, poolId: string, state: string, words: string) {
    const { ready, last_error } = await pool(this, poolId).until((status) => status.state === state);
    assert.equal(ready, false);
    assert.ok(last_error?.includes(words.replaceAll('\\"', '"')), String(last_error));
  },
);

Then('the node shows the memory of the devices {string}', async function (this: DroverWorld, list: string) {
  const indices = list.split(', ');
  const listed = async () => {
    const { devices } = nodeDevices.parse(await this.stack.askNode('/devices'));
    return devices.map(({ index }) => index).join() === indices.join() ? devices : undefined;
  };
  for (const device of await eventually(() => `the devices ${list}`, listed)) {
    const labels = { device_id: device.index };
    const { meter } = this.operator;
    assert.equal(await meter.nodeGauge('device_vram_total_bytes', labels), device.vram_total_bytes);
    assert.equal(await meter.nodeGauge('device_vram_free_bytes', labels), device.vram_free_bytes);
    assert.ok((device.vram_free_bytes ?? 0) > 0);
  }
  const gone = { device_id: String(indices.length) };
  assert.equal(await this.operator.meter.nodeGauge('device_vram_total_bytes', gone), 0);
});
