import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { newPayloadKey, parsePayloadKeys } from '../../security/payload-keys.js';
import { nodesOfTests, offerOf } from '../../testing/test-node.js';
import { isOutOfRoom, onceThereIsRoom, requireDiskRoom } from './disk-room.js';
import { openRunLog } from './run-log.js';

const aNode = nodesOfTests();

const full = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
const isRefusal = (err: unknown) =>
  err instanceof DroverError &&
  err.code === 'POOL_UNAVAILABLE' &&
  err.extras.retry_after_ms === 5_000 &&
  err.message.includes('disk is full');

/** Logs whose disk is full while the test says so; what they hold is real. */
function disk() {
  const state = { isFull: false, tries: 0 };
  const openLog: typeof openRunLog = (...args) => {
    const log = openRunLog(...args);
    const append: typeof log.append = (records) => {
      state.tries += Number(state.isFull);
      if (state.isFull) throw full();
      log.append(records);
    };
    return { ...log, append };
  };
  return { state, openLog };
}

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
      throw full();
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
  const { state, openLog } = disk();
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
  const { state, openLog } = disk();
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
