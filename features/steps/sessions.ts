/** Sessions and their turns. */
import { Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import type { DroverWorld } from '../support/world.js';

When(
  '{int} tasks of the session {string} are posted',
  async function (this: DroverWorld, count: number, session_id: string) {
    for (let turn = 1; turn <= count; turn += 1) {
      await this.tasks.admit(`turn-${turn}`, { session_id, max_tokens: 1 });
    }
  },
);

Then(
  'the session {string} comes to be warm, with {int} turn(s)',
  async function (this: DroverWorld, id: string, turns: number) {
    await this.http.askUntil(`GET /v2/sessions/${id}?create=false`, ({ json }) => {
      const session = json as { kv_warmth?: boolean; turns?: number };
      return session.kv_warmth === true && session.turns === turns;
    });
  },
);

Then(
  'the session {string} comes to be charged the decode time of {string} once, for {int} turn',
  async function (this: DroverWorld, id: string, task: string, turns: number) {
    const { data } = await this.readers.of(task).waitForFrame('end');
    const charged = TIME_BUDGET_MS - Number(data['decode_time_ms']);
    const path = `GET /v2/sessions/${id}?create=false`;
    await this.http.askUntil(path, ({ json }) => (json as Session).time_budget_remaining_ms <= charged);
    // The record in Temporal is written after it: nothing charges it from then on.
    await this.operator.temporal.waitForRecordedState(this.tasks.of(task).id, 'completed');
    const { json } = this.http.lookAt(await this.http.ask(path));
    assert.deepEqual([(json as Session).time_budget_remaining_ms, (json as Session).turns], [charged, turns]);
  },
);

const TIME_BUDGET_MS = 600_000;

interface Session {
  time_budget_remaining_ms: number;
  turns: number;
}
