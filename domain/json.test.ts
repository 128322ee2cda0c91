import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from './json.js';

test('text is read as JSON, and is nothing where it is none', () => {
  assert.deepEqual(parseJson('{"a":[1,null]}'), { a: [1, null] });
  for (const text of ['', '{"a":', 'tea']) assert.equal(parseJson(text), undefined, text);
});
