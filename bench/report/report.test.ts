import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withFigures } from './document.js';
import { goalTable, inMarkdown, isMet, shown } from './report.js';

test('a goal is met from its own side', () => {
  assert.equal(isMet({ what: 'late', value: 15, reach: 15, unit: 'ms' }), true);
  assert.equal(isMet({ what: 'late', value: 15.1, reach: 15, unit: 'ms' }), false);
  assert.equal(isMet({ what: 'pace', value: 61, reach: 60, unit: '%', atLeast: true }), true);
  assert.equal(isMet({ what: 'pace', value: 59, reach: 60, unit: '%', atLeast: true }), false);
});

test('numbers have three figures', () => {
  assert.deepEqual([0.123, 1.239, 12.39, 123.9].map(shown), ['0.12', '1.24', '12.4', '124']);
});

test('goals become a table', () => {
  const table = goalTable([{ what: 'late', value: 20, reach: 15, unit: 'ms' }]);
  assert.match(inMarkdown(table), /\| late \| 20\.0 ms \| ≤ 15\.0 ms \| no \|/);
});

test('figures replace what stood between their markers, and nothing else', () => {
  const document = 'before\n<!-- figures:a -->\nold\n<!-- end of a -->\nafter';
  const expected = 'before\n<!-- figures:a -->\n\nnew\n\n<!-- end of a -->\nafter';
  assert.equal(withFigures(document, 'a', 'new'), expected);
  assert.equal(withFigures(expected, 'a', 'new'), expected);
  assert.throws(() => withFigures(document, 'b', 'new'), /no place/);
});
