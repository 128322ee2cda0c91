import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonErrorPosition, parseJson } from './json.js';

test('text is read as JSON, and is nothing where it is none', () => {
  assert.deepEqual(parseJson('{"a":[1,null]}'), { a: [1, null] });
  for (const text of ['', '{"a":', 'tea']) assert.equal(parseJson(text), undefined, text);
});

const BROKEN: [string, number | undefined][] = [
  ['{"a": [1, "b"]}', undefined],
  ['', 0],
  ['<html></html>', 0],
  ['{"a": tea, "b": "a long text that is quoted by nobody, and a longer one"}', 7],
  ['{"a": 1 "b": 2}', 8],
  ['{"a": [1,', 9],
  ['{"a": "half', 11],
  ['{"a": 1}}', 8],
  ['{"a": 1, }', 9],
];
for (const [text, position] of BROKEN) {
  test(`${text} stops being JSON at ${position}`, () => {
    assert.equal(jsonErrorPosition(text), position);
  });
}
