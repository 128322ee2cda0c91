import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, VICTIMS, type Plan, type PlannedStrike } from './plan.js';
import { planInWords } from './print-plan.js';

const wish = { seed: 11, seconds: 20, victims: VICTIMS };
const tasksOf = ({ clients }: Plan) => clients.flat();
const timeOf = ({ when }: PlannedStrike) => ('atMs' in when ? when.atMs : when.afterMs);

test('a seed stands for one plan, to the last number', () => {
  assert.deepEqual(planOf(wish), planOf(wish));
  assert.notDeepEqual(planOf(wish).clients, planOf({ ...wish, seed: 12 }).clients);
});

test('a plan in words is the same whenever it is printed, and names the seed', () => {
  assert.deepEqual(planInWords(planOf(wish)), planInWords(planOf(wish)));
  assert.match(
    planInWords(planOf(wish))[0] ?? '',
    /^seed 11: \d+ tasks of 8 clients and \d+ strikes at api, control, node, engine, both, stall, disk, cut in 20 s$/,
  );
});

test('every task has a name of its own, which a task id may be', () => {
  const names = tasksOf(planOf(wish)).map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[A-Za-z0-9._:-]{1,128}$/);
});

test('only the victims that were asked for are struck', () => {
  const victims = new Set(planOf({ ...wish, victims: ['control'] }).strikes.map(({ victim }) => victim));
  assert.deepEqual([...victims], ['control']);
});

test('who is struck does not change what the clients do', () => {
  assert.deepEqual(planOf({ ...wish, victims: ['control'] }).clients, planOf(wish).clients);
});

test('strikes fall within the time, or within an admission of a task that is in the plan', () => {
  for (let seed = 0; seed < 50; seed++) {
    const plan = planOf({ ...wish, seed });
    const names = new Set(tasksOf(plan).map(({ name }) => name));
    for (const strike of plan.strikes) {
      assert.ok(timeOf(strike) >= 0 && timeOf(strike) <= 20_000);
      if ('task' in strike.when) assert.ok(names.has(strike.when.task));
    }
  }
});

test('many seeds draw every kind of task: each route, length, habit and end', () => {
  const tasks = Array.from({ length: 30 }, (_, seed) => tasksOf(planOf({ ...wish, seed }))).flat();
  const kinds: Record<string, (task: (typeof tasks)[number]) => boolean> = {
    chat: ({ route }) => route === 'chat',
    completion: ({ route }) => route === 'completion',
    whole: ({ stream }) => !stream,
    cancelled: ({ cancelAfterTokens }) => cancelAfterTokens !== null,
    'cancelled at once': ({ cancelAfterTokens }) => cancelAfterTokens === 0,
    'sent twice': ({ twice }) => twice,
    'walks away': ({ walksAway }) => walksAway,
    conflict: ({ conflict }) => conflict,
    'leaves and comes back': ({ leaveAfterFrames }) => leaveAfterFrames.length > 0,
    batch: ({ priority }) => priority === 'batch',
    long: ({ maxTokens }) => maxTokens > 64,
    short: ({ maxTokens }) => maxTokens < 10,
  };
  for (const [name, isKind] of Object.entries(kinds)) assert.ok(tasks.some(isKind), name);
});
