import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { cutLogs } from './bound-logs.js';

const log = pino({ level: 'silent' });

test('B-PROC-023: a log beyond its limit is kept as .1 and emptied, and its engine goes on at the new end', async (t) => {
  const runtimeDir = await mkdtemp(join(tmpdir(), 'drover-logs-'));
  t.after(() => rm(runtimeDir, { recursive: true, force: true }));
  const path = join(runtimeDir, 'engine-gpu-0.log');
  const engine = await open(path, 'a'); // As an engine holds it.
  t.after(() => engine.close());
  const cut = () => cutLogs({ runtimeDir, limitBytes: 10, log });
  await writeFile(join(runtimeDir, 'gpu-0.spawn.json'), 'longer than any log may be');
  await engine.write('ten bytes.');
  await cut();
  assert.deepEqual((await readdir(runtimeDir)).sort(), ['engine-gpu-0.log', 'gpu-0.spawn.json']);
  await engine.write('and more');
  await cut();
  await engine.write('later');
  assert.equal(await readFile(path, 'utf8'), 'later');
  assert.equal(await readFile(`${path}.1`, 'utf8'), 'ten bytes.and more');
  await engine.write(' than that');
  await cut();
  assert.deepEqual(
    [await readFile(path, 'utf8'), await readFile(`${path}.1`, 'utf8')],
    ['', 'later than that'],
  );
});

test('a folder that is not there has no logs to cut', async () => {
  await cutLogs({ runtimeDir: '/nowhere', limitBytes: 10, log });
});
