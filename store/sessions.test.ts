import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachDatabase } from '../testing/databases.js';
import { openStore, type StoreOptions } from './open-store.js';
import { createSessions } from './sessions.js';

const TTL_MS = 600_000;

/** Sessions of one process, on a clock of the test's. */
async function open(options: StoreOptions, clock = { ms: 1_000 }) {
  const { db, close } = await openStore(options);
  const sessions = createSessions({ db, now: () => clock.ms, ttlMs: TTL_MS });
  const ids = async () => (await db.selectFrom('sessions').select('id').execute()).map(({ id }) => id);
  return { clock, close, sessions, ids };
}

onEachDatabase((newDatabase) => {
  test('B-SS-023: what one process counts another sees, and the next one after both', async () => {
    const options = newDatabase();
    const [one, other] = await Promise.all([open(options), open(options)]);
    const take = (from: typeof one, taskId: string, limit = 99) =>
      from.sessions.takeTurn({ sessionId: 's', taskId, tokens: 1, fits: ({ turns }) => turns < limit });
    assert.equal(await take(one, 'a'), 'taken');
    assert.equal(await take(other, 'b'), 'taken');
    assert.equal((await one.sessions.find('s'))?.turns, 2);
    await Promise.all([one.close(), other.close()]);
    const later = await open(options);
    assert.equal(await take(later, 'c', 2), 'refused');
    assert.equal((await later.sessions.find('s'))?.turns, 2);
    await later.close();
  });

  test('B-SS-025: of many tasks at once no more get a turn than there are, and each task has one', async () => {
    const options = newDatabase();
    const [one, other] = await Promise.all([open(options), open(options)]);
    const taken = await Promise.all(
      Array.from({ length: 12 }, (_, index) => {
        const { sessions } = index % 2 === 0 ? one : other;
        return sessions.takeTurn({
          sessionId: 's',
          taskId: `t-${index}`,
          tokens: 1,
          fits: ({ turns }) => turns < 8,
        });
      }),
    );
    const counts = ['taken', 'refused'].map((outcome) => taken.filter((each) => each === outcome).length);
    assert.deepEqual(counts, [8, 4]);
    const winner = `t-${taken.indexOf('taken')}`;
    assert.equal(
      await one.sessions.takeTurn({
        sessionId: 's',
        taskId: winner,
        tokens: 1,
        fits: ({ turns }) => turns < 8,
      }),
      'held',
    );
    await one.sessions.giveBackTurn(winner);
    await one.sessions.giveBackTurn(winner);
    assert.equal((await other.sessions.find('s'))?.turns, 7);
    await Promise.all([one.close(), other.close()]);
  });

  test('B-SS-021: a session ends when nobody has used it for its time; looking is no use of it, tasks are', async () => {
    const { sessions, clock, close } = await open(newDatabase());
    await sessions.open('s');
    clock.ms += 400_000;
    assert.equal((await sessions.open('s')).expires_ms, 1_000 + TTL_MS);
    await sessions.takeTurn({ sessionId: 's', taskId: 'a', tokens: 5, fits: () => true });
    assert.equal((await sessions.find('s'))?.expires_ms, 401_000 + TTL_MS);
    clock.ms += 400_000;
    await sessions.settle('a', { tokens: 3, timeMs: 20, cost: 0.5 });
    assert.equal((await sessions.find('s'))?.expires_ms, 801_000 + TTL_MS);
    clock.ms += TTL_MS - 1;
    assert.equal((await sessions.find('s'))?.turns, 1);
    clock.ms += 1;
    assert.equal(await sessions.find('s'), undefined);
    assert.deepEqual([(await sessions.open('s')).turns, (await sessions.open('s')).tokens_used], [0, 0]);
    await close();
  });

  test('B-SS-026: a task, a look and the end of a task remove every session that has expired', async () => {
    const { sessions, clock, close, ids } = await open(newDatabase());
    const use = { tokens: 1, timeMs: 1, cost: 0 };
    const occasions = [
      () => sessions.takeTurn({ sessionId: 'other', taskId: 'b', tokens: 5, fits: () => true }),
      () => sessions.open('other'),
      () => sessions.settle('of-no-session', use),
    ];
    for (const [index, occasion] of occasions.entries()) {
      await sessions.takeTurn({
        sessionId: `old-${index}`,
        taskId: `a-${index}`,
        tokens: 5,
        fits: () => true,
      });
      await sessions.remove('other');
      clock.ms += TTL_MS - 1;
      await occasion();
      assert.ok((await ids()).includes(`old-${index}`));
      await sessions.remove('other');
      clock.ms += 1;
      await occasion();
      assert.deepEqual(
        (await ids()).filter((id) => id !== 'other'),
        [],
      );
    }
    await close();
  });

  test('B-SS-027: the first token of a task warms its session; a task is charged once, and not after its session went', async () => {
    const { sessions, close } = await open(newDatabase());
    for (const taskId of ['a', 'b', 'c'])
      await sessions.takeTurn({ sessionId: 's', taskId, tokens: 5, fits: () => true });
    await sessions.warm('nobody');
    assert.equal((await sessions.find('s'))?.warm, 0);
    await sessions.warm('a');
    assert.equal((await sessions.find('s'))?.warm, 1);
    const use = { tokens: 3, timeMs: 20, cost: 0.25 };
    for (const taskId of ['a', 'a', 'b']) await sessions.settle(taskId, use);
    const { tokens_used, time_used_ms, cost_used, tokens_reserved } = (await sessions.find('s'))!;
    assert.deepEqual([tokens_used, time_used_ms, cost_used, tokens_reserved], [6, 40, 0.5, 5]);
    await sessions.remove('s');
    await sessions.remove('s');
    await sessions.settle('c', use);
    await sessions.giveBackTurn('c');
    assert.equal(await sessions.find('s'), undefined);
    await close();
  });
});
