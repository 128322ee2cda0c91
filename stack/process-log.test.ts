import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { boundLog, hasEvent, logSize, readLog, reasonIn } from './process-log.js';

describe('a process log', () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-log-'));
    path = join(folder, 'logs', 'api.log');
  });
  after(() => rm(folder, { recursive: true }));

  it('is read from where a process began', async () => {
    await boundLog(path);
    assert.equal(await logSize(path), 0);
    await writeFile(path, 'before\nafter\n');
    assert.equal(await readLog(path, 7), 'after\n');
    assert.equal(await readLog(path, 13), '');
  });

  it('is read whole when it was cut meanwhile', async () => {
    await writeFile(path, 'new\n');
    assert.equal(await readLog(path, 100), 'new\n');
  });

  it('is copied aside and cut when it has grown', async () => {
    await writeFile(path, 'long enough');
    await boundLog(path, 5);
    assert.equal(await readFile(path, 'utf8'), '');
    assert.equal(await readFile(`${path}.1`, 'utf8'), 'long enough');
  });

  it('tells that a process is up by the event it logs', () => {
    const log = 'noise\n{"level":"info","event":"listening","url":"http://127.0.0.1:1"}\n';
    assert.equal(hasEvent(log, ['listening']), true);
    assert.equal(hasEvent(log, ['polling']), false);
  });

  const reasons = [
    {
      title: 'what the process said to the operator',
      text: '{"level":"fatal"}\ndrover api: port 1 is taken\n{"a":1}\nx',
      expected: 'drover api: port 1 is taken',
    },
    {
      title: 'the error that nobody caught',
      text: "Error: Cannot find module '/x'\n    at a\n\nNode.js v20.20.2\n",
      expected: "Error: Cannot find module '/x'",
    },
    { title: 'the last plain line', text: 'one\ntwo\n{"level":"info"}\n', expected: 'two' },
    { title: 'nothing where there is no plain line', text: '{"level":"info"}\n', expected: undefined },
  ];
  for (const { title, text, expected } of reasons) {
    it(`gives as the reason of an end ${title}`, () => assert.equal(reasonIn(text), expected));
  }
});
