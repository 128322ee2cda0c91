import assert from 'node:assert/strict';
import { test } from 'node:test';
import { converse } from './converse.js';

const node = process.execPath;
const LIMIT = { timeoutMs: 10_000 };

test('a tool is told lines and heard line by line, until it says nothing more', async () => {
  const program = `console.log('begin');
    require('node:readline').createInterface({ input: process.stdin })
      .on('line', (line) => console.log(line.toUpperCase()))
      .on('close', () => { console.error('done'); process.exitCode = 7; });`;
  const tool = converse(node, ['-e', program], LIMIT);
  assert.equal(await tool.hear(), 'begin');
  for (const word of ['a b', '$HOME']) {
    tool.say(word);
    assert.equal(await tool.hear(), word.toUpperCase());
  }
  assert.deepEqual(await tool.end(), { exitCode: 7, timedOut: false, missing: false, stderr: 'done' });
  assert.equal(await tool.hear(), undefined);
});

test('a tool that says nothing is ended when its time is over', async () => {
  const program = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)";
  const tool = converse(node, ['-e', program], { timeoutMs: 300 });
  assert.equal(await tool.hear(), undefined);
  const { exitCode, timedOut } = await tool.end();
  assert.deepEqual([exitCode, timedOut], [null, true]);
});

test('a tool that is not there, or ends before it is told anything, says so by its end', async () => {
  const absent = converse('/no/such/tool', [], LIMIT);
  assert.equal(await absent.hear(), undefined);
  absent.say('anything');
  assert.equal((await absent.end()).missing, true);
  const gone = converse(node, ['-e', ''], LIMIT);
  assert.equal(await gone.hear(), undefined);
  gone.say('anything');
  const { exitCode, missing } = await gone.end();
  assert.deepEqual([exitCode, missing], [0, false]);
});

test('a tool that says far too much is ended', async () => {
  const tool = converse(node, ['-e', "for (;;) require('node:fs').writeSync(1, 'x'.repeat(8192))"], LIMIT);
  await tool.hear();
  const { exitCode, timedOut } = await tool.end();
  assert.deepEqual([exitCode, timedOut], [null, false]);
});
