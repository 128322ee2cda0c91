/** What the audit logs have. */
import { Then, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { eventually } from '../../testing/changes.js';
import type { DroverWorld } from '../support/world.js';

Then(
  'the audit log of the API comes to have under {string} for the task {string}:',
  async function (this: DroverWorld, correlationId: string, name: string, table: DataTable) {
    const { id } = this.tasks.of(name);
    const expected = table.hashes().map((row) => row['event_type']);
    let seen: string[] = [];
    await eventually(
      () => `${expected.join()}, and not ${seen.join()}`,
      async () => {
        const ours = (await this.operator.audit.entries('api')).filter(
          ({ details }) => details['correlation_id'] === correlationId && details['task_id'] === id,
        );
        seen = ours.map(({ event_type }) => event_type);
        return seen.join() === expected.join() ? true : undefined;
      },
    );
  },
);

Then('the audit log of the node has the start of the engine that serves', async function (this: DroverWorld) {
  const pid = await this.stack.pool.pid();
  const started = (await this.operator.audit.entries('node')).find(({ details }) => details['pid'] === pid);
  const { nodeId } = this.stack;
  const { worker_id, node_id, model, correlation_id } = started?.details ?? {};
  assert.deepEqual([started?.event_type, started?.actor], ['worker_spawned', `node:${nodeId}`]);
  assert.deepEqual([worker_id, node_id, typeof model], ['default/r0', nodeId, 'string']);
  assert.ok(typeof correlation_id === 'string' && correlation_id !== '');
});

Then('both audit logs are as they were written', async function (this: DroverWorld) {
  const { audit } = this.operator;
  const chains = await audit.chains();
  assert.ok(chains.includes('api') && chains.includes('node'), chains.join());
  let problems: string[] = [];
  await eventually(
    () => `unbroken chains, and not ${problems.join()}`,
    async () => {
      problems = await audit.problems();
      return problems.length === 0 ? true : undefined;
    },
  );
});
