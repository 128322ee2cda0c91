/** Pools in a configuration file. */
import { Given, Then, When } from '@cucumber/cucumber';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../testing/free-port.js';
import type { DroverWorld } from '../support/world.js';

const pathOf = (world: DroverWorld) => join(world.stack.stateDir, 'pools.yaml');
const hangUp = (world: DroverWorld) => process.kill(world.stack.mustApi().program.pid, 'SIGHUP');

/** An entry of the stack's engine. */
async function entry(world: DroverWorld, engine_version: string): Promise<string> {
  const { model_path, slots_total, ctx_max } = await world.stack.prepareEngine();
  return `# What serves.
pools:
  - id: default
    engine_version: ${engine_version}
    model: ${model_path}
    model_ref: demo
    model_name: demo
    backend: cpu
    port: ${await freePort()}
    slots: ${slots_total}
    ctx: ${ctx_max}
    provisioning: { mode: package, flags: [--threads, '1'] }
DROVER_METRICS_FRAME_MS: 912
`;
}

Given(
  'a fresh installation whose pool stands in a configuration file, with a slow engine',
  async function (this: DroverWorld) {
    await this.useFreshStack({ model: 'slow', preload: false });
    await writeFile(pathOf(this), await entry(this, this.stack.engineVersion));
    await this.stack.startApi({ DROVER_CONFIG: pathOf(this) });
    await this.http.askUntil('GET /readyz', ({ status }) => status === 200);
  },
);

When(
  'the configuration file comes to have a mistake in line 5, and the API gets SIGHUP',
  async function (this: DroverWorld) {
    const text = await entry(this, 'third');
    await writeFile(pathOf(this), text.replace(/model: .*/, 'model: not/absolute.gguf'));
    hangUp(this);
  },
);

When(
  'the configuration file comes to ask for the version {string}, and the API gets SIGHUP',
  async function (this: DroverWorld, version: string) {
    await writeFile(pathOf(this), await entry(this, version));
    hangUp(this);
  },
);

When('the configuration file comes to have no pool, and is read again', async function (this: DroverWorld) {
  await writeFile(pathOf(this), 'pools: []\n');
  await this.http.send('POST', '/v2/config/reload');
});

Then(
  "the API's log comes to have {string} with {string}",
  async function (this: DroverWorld, event: string, words: string) {
    const isIt = (line: Readonly<Record<string, unknown>>) =>
      line['event'] === event && JSON.stringify(line).includes(words.replace('line ', 'pools.yaml:'));
    await this.stack.mustApi().program.waitForLog(`${event} with ${words}`, isIt);
  },
);
