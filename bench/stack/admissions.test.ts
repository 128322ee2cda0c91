import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { AdmissionBook } from './admissions.js';

const line = (eager: boolean) => `{"level":"info","event":"admitted","eager_start":${eager}}\n`;

async function logFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-admissions-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'api.log');
  await writeFile(path, line(false));
  return path;
}

test('admissions are counted from where the last count ended', async (t) => {
  const path = await logFile(t);
  const book = await AdmissionBook.open(path);
  await appendFile(path, line(true) + '{"event":"cancel"}\n' + line(true));
  await book.mustBeEager(2);
  await appendFile(path, line(true));
  await book.mustBeEager(1);
});

test('one start that was not eager is an error', async (t) => {
  const path = await logFile(t);
  const book = await AdmissionBook.open(path);
  await appendFile(path, line(true) + line(false));
  await assert.rejects(book.mustBeEager(2), /1 of 2 starts were eager/);
});
