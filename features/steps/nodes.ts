/** The registry of nodes. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { nodeList, registeredNode } from '../../contracts/registered-node.js';
import { logFilesHolding } from '../support/logs.js';
import { theRun } from '../support/run.js';
import type { DroverWorld } from '../support/world.js';

const BASE = '/v2/registry/beehives';
/** From a contact to the look at its time, in seconds; a machine may be busy. */
const JUST_NOW_S = 120;

Given(
  /^a machine with an SSH server whose host key (is known|is not known|was another before)$/,
  async function (this: DroverWorld, known: string) {
    const holding = { 'is known': 'its key', 'was another before': 'another key' } as const;
    const entry = Object.entries(holding).find(([words]) => words === known);
    await this.sshNodes.start(this.stack, entry?.[1] ?? 'nothing');
  },
);

Given('a machine with an SSH server that has been stopped', async function (this: DroverWorld) {
  await this.sshNodes.start(this.stack, 'its key');
  await this.sshNodes.server.pause();
});

When(
  /^it is added as the node "([^"]+)"(?: with (another|its own) key)?$/,
  async function (this: DroverWorld, name: string, key: string | null) {
    const body = this.sshNodes.requestAs(this.fill(name), key === 'another' ? 'other' : 'user');
    await this.http.send('POST', `${BASE}/add`, { body });
  },
);

When(
  /^the node "([^"]+)" gets (another|its own) key$/,
  async function (this: DroverWorld, name: string, which: string) {
    const ssh_key_path = this.sshNodes.server.keyFile(which === 'another' ? 'other' : 'user');
    await this.http.send('PATCH', `${BASE}/${name}`, { body: { ssh_key_path } });
  },
);

When(
  /^the node "([^"]+)" is removed( by force)?$/,
  async function (this: DroverWorld, name: string, force: string | null) {
    const body = { node_name: this.fill(name), force: force !== null };
    await this.http.send('POST', `${BASE}/remove`, { body });
  },
);

Then(
  'it tells how SSH reaches the machine, that it is reachable and was contacted just now',
  function (this: DroverWorld) {
    const node = registeredNode.parse(this.http.lookAt().json);
    const { ssh_host, ssh_port, ssh_user, ssh_key_path } = node;
    assert.deepEqual({ ssh_host, ssh_port, ssh_user, ssh_key_path }, this.sshNodes.server.place);
    assert.equal(node.status, 'reachable');
    const ageS = Date.now() / 1_000 - (node.last_connected_unix ?? 0);
    assert.ok(ageS >= 0 && ageS < JUST_NOW_S, String(ageS));
  },
);

Then('neither the answer nor any log of the stack holds the key', async function (this: DroverWorld) {
  const file = await readFile(this.sshNodes.server.keyFile('user'), 'utf8');
  const secret = file.split('\n').slice(1, 4);
  assert.ok(!secret.some((line) => this.http.lookAt().text.includes(line)));
  assert.deepEqual(await logFilesHolding(theRun().folders.logs, this.stack.name, secret), []);
});

Then(
  '{string} is listed as reachable, among names in their order',
  async function (this: DroverWorld, name: string) {
    const { nodes } = nodeList.parse((await this.http.send('GET', `${BASE}/list`)).json);
    const names = nodes.map(({ node_name }) => node_name);
    assert.deepEqual(names, names.toSorted());
    assert.equal(nodes.find(({ node_name }) => node_name === name)?.status, 'reachable');
  },
);

Then(
  'the history of {string} tells these steps in order: {string}',
  async function (this: DroverWorld, workflowId: string, steps: string) {
    assert.equal((await this.temporal.activitiesOf(workflowId)).join(', '), steps);
  },
);
