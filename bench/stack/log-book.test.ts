import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { linesIn, LogBook } from './log-book.js';

const line = (pool_id: string, ts: string) => `${JSON.stringify({ ts, event: 'engine_adopted', pool_id })}\n`;

test('a line is found by its fields, from where the book was opened', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'drover-log-book-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'node.log');
  await writeFile(path, line('a', 'before'));
  const book = await LogBook.open(path);
  await appendFile(path, line('b', 'other') + line('a', 'after'));
  const { ts } = await book.find({ event: 'engine_adopted', pool_id: 'a' });
  assert.equal(ts, 'after');
});

test('words that are no structured line, and a line that is being written, are left out', () => {
  assert.deepEqual(linesIn('(node:1) a warning\n{"ts":"1"}\n{"ts":'), [{ ts: '1' }]);
});
