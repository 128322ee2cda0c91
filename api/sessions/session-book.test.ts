import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import type { Sessions } from '../../store/sessions.js';
import { createSessionBook } from './session-book.js';

/** Sessions whose database is away. */
function away(turns: number | undefined) {
  const gone = () => Promise.reject(new DroverError('STORE_UNAVAILABLE', 'away'));
  const sessions: Sessions = {
    find: gone,
    open: gone,
    takeTurn: gone,
    giveBackTurn: gone,
    warm: gone,
    settle: gone,
    remove: gone,
  };
  const limits = {
    ttlMs: 600_000,
    turns,
    tokens: undefined,
    timeMs: 600_000,
    cost: undefined,
    tokenPrice: 0,
  };
  return createSessionBook({ sessions, limits, log: { warn: () => undefined }, now: () => 0 });
}

const task = (session_id: string) => ({ request: { task_id: 't', session_id, max_tokens: 8 } });
const isAway = (err: unknown) => err instanceof DroverError && err.code === 'STORE_UNAVAILABLE';

test('design 4: while the database is away a task of a session with limits is refused', async () => {
  await assert.rejects(away(8).takeTurn(task('s')), isAway);
});

test('design 7: a task that is alone in its session asks nobody, and neither does one where nothing is limited', async () => {
  const own = await away(8).takeTurn(task('t'));
  await own.giveBack();
  await (await away(undefined).takeTurn(task('s'))).giveBack();
});

test('a first token and a turn to give back hold nobody up', () => {
  away(8).firstToken('t');
});
