import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOptions, reproduction, UsageError } from './options.js';

test('without options the seeds of CI are played, with all victims', () => {
  const wishes = readOptions([]);
  assert.deepEqual(
    wishes.map(({ seed }) => seed),
    [1, 2, 3],
  );
  const all = ['api', 'control', 'node', 'engine', 'both', 'stall', 'disk', 'cut'];
  for (const { victims } of wishes) assert.deepEqual(victims, all);
});

test('the printed command plays the same wish again', () => {
  const [wish] = readOptions(['--seed', '42', '--seconds', '9', '--victims', 'api']);
  assert.deepEqual(wish, { seed: 42, seconds: 9, victims: ['api'] });
  const [, args = ''] = reproduction(wish).split(' -- ');
  assert.deepEqual(readOptions(args.split(' ')), [wish]);
});

test('several seeds are played in the order they are named', () => {
  assert.deepEqual(
    readOptions(['--seeds', '5,3,4']).map(({ seed }) => seed),
    [5, 3, 4],
  );
});

const MISTAKES: [title: string, args: string[], says: RegExp][] = [
  ['a seed that is no number', ['--seed', 'x'], /a seed must be a whole number/],
  ['a seed beyond 32 bits', ['--seed', '4294967296'], /0 to 4294967295/],
  ['no time at all', ['--seconds', '0'], /--seconds must be/],
  ['a victim that nobody knows', ['--victims', 'api,moon'], /no victim "moon"/],
  ['an option that does not exist', ['--fast'], /fast/],
];
for (const [title, args, says] of MISTAKES) {
  test(`${title} is a mistake of the caller`, () => {
    assert.throws(
      () => readOptions(args),
      (err) => err instanceof UsageError && says.test(err.message),
    );
  });
}
