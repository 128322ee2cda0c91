import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startFakeEngine, type StartedEngine } from '../../testing/started-engine.js';
import { argvDigest, bootId, findByToken, isSameProcess, processStartTicks } from './process-identity.js';
import { readArguments } from './process-table.js';

async function recordOf(engine: StartedEngine, token: string) {
  return {
    pid: engine.pid,
    started_ticks: engine.startTicks,
    boot_id: await bootId(),
    argv_digest: argvDigest([engine.command, ...engine.args]),
    token,
  };
}

async function started(t: TestContext, token: string) {
  const engine = await startFakeEngine(t, ['--flag', 'a b'], token);
  return { engine, record: await recordOf(engine, token) };
}

test('a process is ours when pid, start time, boot and token are those of its record', async (t) => {
  const { record } = await started(t, 'mine');
  assert.equal(await isSameProcess(record), true);
});

test('B-PROC-016: another start time, another boot or another token is another process', async (t) => {
  const { record } = await started(t, 'mine');
  assert.equal(await isSameProcess({ ...record, started_ticks: '1' }), false);
  assert.equal(await isSameProcess({ ...record, boot_id: 'before the reboot' }), false);
  assert.equal(await isSameProcess({ ...record, token: 'theirs' }), false);
});

test('B-PROC-016: without a token in its environment the command decides, an interpreter before it set aside', async () => {
  const self = {
    pid: process.pid,
    started_ticks: (await processStartTicks(process.pid)) ?? '',
    boot_id: await bootId(),
    token: 'none',
  };
  const argv = (await readArguments(process.pid)) ?? []; // An interpreter, its options, and this file at the end.
  const command = argvDigest(argv.slice(-1));
  assert.equal(await isSameProcess({ ...self, argv_digest: command }), true);
  assert.equal(await isSameProcess({ ...self, argv_digest: argvDigest(['/opt/llama-server']) }), false);
});

test('a process that has ended is nobody', async (t) => {
  const { engine, record } = await started(t, 'mine');
  process.kill(engine.pid, 'SIGKILL');
  await engine.exited;
  assert.equal(await processStartTicks(engine.pid), undefined);
  assert.equal(await isSameProcess(record), false);
});

test('an engine and its children are found by their token', async (t) => {
  const engine = await startFakeEngine(t, ['--fork-child'], 'found-by-token');
  const found = await findByToken('found-by-token');
  assert.equal(found.length, 2);
  assert.equal(found[0]?.pid, engine.pid);
  assert.deepEqual(await findByToken('nobody-has-this'), []);
});

test('digests tell where one argument ends and the next begins', () => {
  assert.notEqual(argvDigest(['a', 'b c']), argvDigest(['a b', 'c']));
});
