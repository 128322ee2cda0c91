/** Drover is installed on a machine, whose node worker then reports and serves. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { reportedNodes } from '../../contracts/node-service.js';
import { freePort } from '../../testing/free-port.js';
import { PRELOAD_WAIT_MS } from '../support/engines.js';
import type { DroverWorld } from '../support/world.js';

Given('a repository whose build makes a node worker', async function (this: DroverWorld) {
  await this.sshNodes.serveOrigin();
  this.cli.keep('api', this.stack.mustApi().client.url);
  this.cli.keep('port', await freePort());
});

Then('it has told the steps of an installation', function (this: DroverWorld) {
  const told = [
    'reaching the node',
    'fetching the source',
    'installing packages',
    'starting the node worker',
  ];
  assert.match(this.cli.last.stderr, new RegExp(`${told.join('[^]*\\n')}[^]*\\nwaiting for its report\\n`));
});

Then('the node {string} is online', async function (this: DroverWorld, name: string) {
  const { nodes } = reportedNodes.parse((await this.http.send('GET', '/v2/nodes')).json);
  assert.deepEqual(
    nodes.map(({ node_id, state }) => [node_id, state]),
    [[name, 'online']],
  );
});

When(
  'the pool {string} is preloaded on the node that has none',
  async function (this: DroverWorld, pool_id: string) {
    const engine = await this.stack.prepareEngine();
    const port = await freePort();
    const flags = [...engine.flags];
    flags[flags.indexOf('--port') + 1] = String(port);
    const prepared = { ...engine, pool_id, port, flags };
    const body = { prepared, wait_ms: PRELOAD_WAIT_MS };
    const { status, text } = await this.http.send('POST', `/v2/pools/${pool_id}/preload`, { body });
    assert.equal(status, 200, text);
  },
);

Then(
  '{string} completes on the node {string}',
  async function (this: DroverWorld, task: string, node: string) {
    await this.tasks.waitForState(task, ['completed']);
    assert.equal((await this.tasks.status(task)).node_id, node);
  },
);
