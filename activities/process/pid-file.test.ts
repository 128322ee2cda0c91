import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeAtomically } from '../write-atomically.js';
import { readPidFile, removePidFile, writePidFile } from './pid-file.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-pid-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('B-PROC-021 B-PROC-022: a PID file holds the decimal number and nothing else', async () => {
  const path = join(folder, 'gpu-0.pid');
  await writePidFile(path, 4711);
  assert.equal(await readFile(path, 'utf8'), '4711');
  assert.equal(await readPidFile(path), 4711);
});

test('B-PROC-014: a removed PID file is gone, and removing it again is no failure', async () => {
  const path = join(folder, 'gone.pid');
  await writePidFile(path, 4711);
  await removePidFile(path);
  assert.equal(await readPidFile(path), undefined);
  await removePidFile(path);
});

for (const text of ['', 'abc', '-1', '0', '1', '12 13', '99999999999', '0x10']) {
  test(`a PID file that holds "${text}" names nobody, and is named itself`, async () => {
    const path = join(folder, 'bad.pid');
    await writeFile(path, text);
    assert.equal(await readPidFile(path), 'unreadable');
  });
}

test('a file appears whole or not at all, and readable by its owner alone', async () => {
  const path = join(folder, 'record.json');
  await writeAtomically(path, 'first');
  await writeAtomically(path, 'second');
  assert.equal(await readFile(path, 'utf8'), 'second');
  assert.equal((await stat(path)).mode & 0o777, 0o600);

  await assert.rejects(writeAtomically(join(folder, 'missing', 'record.json'), 'x'), { code: 'ENOENT' });
  await assert.rejects(writeAtomically(folder, 'x')); // A folder cannot be replaced by a file.
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
    [],
  );
});
