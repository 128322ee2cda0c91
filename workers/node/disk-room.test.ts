import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { pino } from 'pino';
import { DroverError } from '../../contracts/errors.js';
import { newPayloadKey, parsePayloadKeys } from '../../security/payload-keys.js';
import { fullDisk, noRoom } from '../../testing/full-disk.js';
import { nodesOfTests, offerOf } from '../../testing/test-node.js';
import { isOutOfRoom, onceThereIsRoom, requireDiskRoom } from './disk-room.js';
import { openRunLog } from './run-log.js';

const aNode = nodesOfTests();

const isRefusal = (err: unknown) =>
  err instanceof DroverError &&
  err.code === 'POOL_UNAVAILABLE' &&
  err.extras.retry_after_ms === 5_000 &&
  err.message.includes('disk is full');

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('a file system that has less than the reserve takes no new task', () => {
  assert.throws(() => requireDiskRoom(tmpdir(), Number.MAX_SAFE_INTEGER), isRefusal);
  assert.doesNotThrow(() => requireDiskRoom(tmpdir(), 0));
});

test('a log on a full device says so, and nothing is written in part', () => {
  const log = openRunLog('/dev/full', parsePayloadKeys(newPayloadKey()), false);
  assert.throws(() => log.append([{ kind: 'confirmed', epoch: 1, at_ms: 1 }]), isOutOfRoom);
  log.close();
});

test('only a full file system is waited for, and not by whoever was called off', async () => {
  const never = new AbortController().signal;
  const broken = () => {
    throw new Error('the disk is broken');
  };
  assert.throws(() => void onceThereIsRoom(broken, never, () => assert.fail('it waited')), /is broken/);
  const off = new AbortController();
  const waiting = onceThereIsRoom(
    () => {
      throw noRoom();
    },
    off.signal,
    () => off.abort(new Error('called off')),
  );
  assert.ok(waiting);
  await assert.rejects(waiting, /called off/);
});

test('a node whose disk is full refuses new tasks with 503, and what it took before goes on', async () => {
  const node = await aNode({ diskReserveBytes: Number.MAX_SAFE_INTEGER });
  await assert.rejects(node.runs.offer(offerOf('new')), isRefusal);
  assert.equal(node.runs.get('new'), undefined);
  await node.runs.attach(offerOf('accepted'));
  await node.engine.asked(1);
});

test('a stream that meets a full disk pauses, and then goes on without a gap, in its log too', async () => {
  const { state, openLog } = fullDisk();
  const node = await aNode({ openLog });
  const { runs, engine } = node;
  await runs.attach(offerOf('a'));
  await engine.asked(1);
  engine.say('one ');
  await engine.heard();
  state.isFull = true;
  engine.say('two ');
  await until(() => state.tries > 1);
  const shown = () =>
    runs
      .mustGet('a')
      .framesFrom(0)
      .flatMap((frame) => (frame.type === 'token' ? [frame.data.t] : []));
  assert.deepEqual(shown(), ['one ']);
  state.isFull = false;
  engine.say('three');
  engine.finish('EOS');
  const { state: ended } = await runs.waitForEnd('a', AbortSignal.timeout(10_000));
  assert.deepEqual([ended, shown()], ['completed', ['one ', 'two ', 'three']]);
});

test('an end that meets a full disk is told once there is room', async () => {
  const { state, openLog } = fullDisk();
  const node = await aNode({ openLog });
  const { runs, engine } = node;
  await runs.attach(offerOf('a'));
  await engine.asked(1);
  state.isFull = true;
  engine.fail();
  await until(() => state.tries > 1);
  assert.equal(runs.mustView('a').ended, false);
  state.isFull = false;
  const { error } = await runs.waitForEnd('a', AbortSignal.timeout(10_000));
  assert.equal(error?.code, 'INTERNAL');
});

test('a cancel that meets a full disk stops the engine at once, and is told when there is room', async () => {
  const { state, openLog } = fullDisk();
  const { runs, engine } = await aNode({ openLog });
  await runs.attach(offerOf('a'));
  await engine.asked(1);
  state.isFull = true;
  const cancelled = runs.cancel('a', 'client');
  await engine.left(1);
  assert.equal(runs.mustView('a').ended, false);
  state.isFull = false;
  assert.equal((await cancelled).state, 'cancelled');
});

test('a deadline that passes while the disk is full ends its task, not the worker', async () => {
  const { state, openLog } = fullDisk();
  const { runs, engine } = await aNode({ openLog });
  await runs.attach(offerOf('a', { request: { deadline_ms: 100 } }));
  await engine.asked(1);
  state.isFull = true;
  await engine.left(1);
  state.isFull = false;
  const { error } = await runs.waitForEnd('a', AbortSignal.timeout(10_000));
  assert.equal(error?.code, 'DECODE_TIMEOUT');
});

test('two who cancel a task while the disk is full see it end once', async () => {
  const { state, openLog } = fullDisk();
  const ended: unknown[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void ended.push(JSON.parse(line)) });
  const { runs } = await aNode({ openLog, log });
  await runs.attach(offerOf('runs'));
  await runs.attach(offerOf('waits'));
  state.isFull = true;
  const both = [runs.cancel('waits', 'client'), runs.cancel('waits', 'admin')];
  await until(() => state.tries > 2);
  state.isFull = false;
  assert.deepEqual(
    (await Promise.all(both)).map((view) => view.state),
    ['cancelled', 'cancelled'],
  );
  assert.equal(ended.filter((line) => (line as { event: string }).event === 'run_ended').length, 1);
});

test('an offer that finds no room leaves nothing in the way of the next one', async () => {
  const { state, openLog } = fullDisk();
  const { runs } = await aNode({ openLog });
  state.isFull = true;
  await assert.rejects(
    runs.offer(offerOf('a')),
    (err) => err instanceof DroverError && err.code === 'POOL_UNAVAILABLE',
  );
  state.isFull = false;
  assert.equal((await runs.offer(offerOf('a'))).confirmed, false);
});

test('an offer whose confirmation finds no room does not lapse', async () => {
  const { state, openLog } = fullDisk();
  const { runs } = await aNode({ openLog, offerTtlMs: 100 });
  await runs.offer(offerOf('known'));
  await runs.offer(offerOf('unknown'));
  state.isFull = true;
  assert.throws(() => runs.confirm('known'), isOutOfRoom);
  await until(() => runs.get('unknown') === undefined);
  state.isFull = false;
  assert.equal(runs.confirm('known').confirmed, true);
});

test('a worker that starts on a full disk starts, and tells what had ended when there is room', async () => {
  const before = await aNode();
  await before.runs.attach(offerOf('a'));
  await before.engine.asked(1);
  before.runs.mustGet('a').record({ kind: 'cancel', reason: 'client', at_ms: 1 });
  await before.crash();
  const { state, openLog } = fullDisk();
  state.isFull = true;
  const { runs } = await aNode({ runsDir: before.runsDir, openLog });
  assert.equal(runs.mustView('a').ended, false);
  state.isFull = false;
  const { state: ended } = await runs.waitForEnd('a', AbortSignal.timeout(10_000));
  assert.equal(ended, 'cancelled');
});
