import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Draw } from './draw.js';

const many = Array.from({ length: 2_000 });

test('the same seed draws the same numbers, another seed others', () => {
  const numbersOf = (seed: number) => {
    const draw = new Draw(seed);
    return Array.from({ length: 20 }, () => draw.next());
  };
  assert.deepEqual(numbersOf(7), numbersOf(7));
  assert.notDeepEqual(numbersOf(7), numbersOf(8));
});

test('mulberry32 of seed 1 begins with the numbers that everybody else draws', () => {
  const draw = new Draw(1);
  const first = [draw.next(), draw.next(), draw.next()].map((value) => value.toFixed(6));
  assert.deepEqual(first, ['0.627074', '0.002736', '0.527447']);
});

test('numbers spread evenly over 0 to 1', () => {
  const draw = new Draw(3);
  const tenths = many.map(() => Math.floor(draw.next() * 10));
  for (let tenth = 0; tenth < 10; tenth++) {
    const share = tenths.filter((value) => value === tenth).length / many.length;
    assert.ok(share > 0.07 && share < 0.13, `tenth ${tenth} has ${share}`);
  }
});

test('whole numbers take both ends and nothing beyond', () => {
  const draw = new Draw(4);
  const drawn = new Set(many.map(() => draw.between(2, 5)));
  assert.deepEqual([...drawn].sort(), [2, 3, 4, 5]);
});

test('an empty list cannot be drawn from', () => {
  assert.throws(() => new Draw(1).pick([]), RangeError);
});

test('what one fork draws does not change its siblings', () => {
  const siblings = (draws: number) => {
    const parent = new Draw(9);
    const first = parent.fork();
    for (let count = 0; count < draws; count++) first.next();
    return parent.fork().next();
  };
  assert.equal(siblings(0), siblings(50));
});
