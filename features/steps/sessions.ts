/** Sessions and their turns. */
import { Then, When } from '@cucumber/cucumber';
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
