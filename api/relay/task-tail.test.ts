import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DroverError } from '../../contracts/errors.js';
import { closesStream, type Frame } from '../../contracts/events.js';
import { TaskTail, type TaskTailDeps } from './task-tail.js';

/** A log of `tokens` tokens between `started` and `end`. */
function logOf(tokens: number, epochAt: (offset: number) => number = () => 1): Frame[] {
  const at = (offset: number) => ({ offset, epoch: epochAt(offset) });
  const started = {
    queue_position: 0,
    predicted_start_ms: 0,
    task_id: 't',
    engine: 'llamacpp',
    pool_id: 'p',
    replica_id: 'r0',
    model_ref: 'demo',
    correlation_id: 'c',
    admitted_at_ms: 0,
  };
  const end = {
    tokens_out: tokens,
    tokens_in: 1,
    decode_time_ms: 1,
    decode_ms: 1,
    stop_reason: 'EOS' as const,
  };
  return [
    { ...at(0), type: 'started', data: started },
    ...Array.from({ length: tokens }, (_, i): Frame => ({
      ...at(i + 1),
      type: 'token',
      data: { t: `w${i}`, i },
    })),
    { ...at(tokens + 1), type: 'end', data: end },
  ];
}

/** Resolves when the tail is over, however it ended. */
function over(tail: TaskTail): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (tail.closed || tail.failure !== undefined) resolve();
    };
    tail.watch(look);
    look();
  });
}

const QUICK = { firstMs: 1, lastMs: 1, giveUpMs: 1_000 };

type Connect = (from: number, signal: AbortSignal) => Promise<AsyncIterable<Frame[]> | undefined>;

function tailOver(open: Connect, over_: Partial<TaskTailDeps> = {}, from = 0): TaskTail {
  const connect: TaskTailDeps['connect'] = async (offset, signal) => {
    const upstream = await open(offset, signal);
    return upstream && { liveFrom: offset, batches: upstream };
  };
  return new TaskTail(
    { connect, mayComeBack: () => Promise.resolve(true), now: Date.now, retry: QUICK, ...over_ },
    from,
  );
}

async function* batches(frames: Frame[], size = 3): AsyncGenerator<Frame[]> {
  for (let at = 0; at < frames.length; at += size) yield Promise.resolve(frames.slice(at, at + size));
}

const offsets = (frames: readonly Frame[]) => frames.map(({ offset }) => offset);

describe('a tail of a log', () => {
  it('B-DP-169: has the frames in order and closes with the last', async () => {
    const log = logOf(7);
    const tail = tailOver((from) => Promise.resolve(batches(log.slice(from))));
    await over(tail);
    assert.deepEqual(tail.frames, log);
    assert.equal(tail.closed, true);
    assert.equal(tail.failure, undefined);
  });

  it('B-DUR-003: a task that began anew behind what readers here have had ends their stream with one error', async () => {
    const log = logOf(5);
    let connections = 0;
    const tail = tailOver(() => {
      connections += 1;
      return connections === 1
        ? Promise.resolve(cutAfter(log, 3, 3))
        : Promise.reject(new DroverError('WORKER_RESET', 'what this reader has had was lost'));
    });
    await over(tail);
    assert.deepEqual(offsets(tail.frames), [0, 1, 2]);
    assert.equal(tail.failure?.code, 'WORKER_RESET');
    assert.equal(connections, 2);
  });

  it('knows all that was shown only where it has it from the first frame on', async () => {
    const log = logOf(5);
    const whole = tailOver((from) => Promise.resolve(batches(log.slice(from))));
    await over(whole);
    assert.deepEqual(whole.shown, log);
    const late = tailOver((from) => Promise.resolve(batches(log.slice(from))), {}, 3);
    await over(late);
    assert.equal(late.shown, undefined);
  });

  it('goes on from the next offset each time that its node cuts it off, and has nothing twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 30 }),
        fc.array(fc.record({ length: fc.nat(9), size: fc.integer({ min: 1, max: 4 }), overlap: fc.nat(5) }), {
          maxLength: 12,
        }),
        async (tokens, connections) => {
          const log = logOf(tokens);
          const left = [...connections];
          const tail = tailOver((from) => {
            const { length, size, overlap } = left.shift() ?? { length: log.length, size: 5, overlap: 0 };
            return Promise.resolve(cutAfter(log.slice(Math.max(0, from - overlap)), length + overlap, size));
          });
          await over(tail);
          assert.deepEqual(tail.frames, log);
          assert.equal(tail.frames.filter(closesStream).length, 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('waits for a node that refuses connections for a while', async () => {
    const log = logOf(2);
    let attempts = 0;
    const breaks: boolean[] = [];
    const onBreak = (_err: unknown, isFirst: boolean) => void breaks.push(isFirst);
    const tail = tailOver(
      (from) => {
        attempts += 1;
        return attempts < 4
          ? Promise.reject(new Error('ECONNREFUSED'))
          : Promise.resolve(batches(log.slice(from)));
      },
      { onBreak },
    );
    await tail.opened;
    await over(tail);
    assert.equal(attempts, 4);
    assert.deepEqual(breaks, [true, false, false]);
    assert.deepEqual(tail.frames, log);
  });

  it('gives up after its limit with one retriable error', async () => {
    let now = 0;
    const tail = tailOver(() => Promise.reject(new Error('ECONNREFUSED')), { now: () => (now += 300) });
    await over(tail);
    assert.equal(tail.failure?.code, 'POOL_UNAVAILABLE');
    assert.equal(tail.closed, false);
  });

  it('B-DP-107: says that there is no such task when its node knows none and none will come back', async () => {
    const tail = tailOver(() => Promise.resolve(undefined), { mayComeBack: () => Promise.resolve(false) });
    await assert.rejects(tail.opened, (err: DroverError) => err.code === 'TASK_NOT_FOUND');
  });

  it('waits for a run that its node does not know yet, as after a restart', async () => {
    const log = logOf(1);
    let attempts = 0;
    const tail = tailOver((from) => Promise.resolve(++attempts < 3 ? undefined : batches(log.slice(from))));
    await over(tail);
    assert.deepEqual(tail.frames, log);
  });

  it('B-AD-011: calls a run that vanished in mid-stream a reset', async () => {
    let attempts = 0;
    const tail = tailOver(
      () => Promise.resolve(++attempts === 1 ? batches(logOf(3).slice(0, 2)) : undefined),
      { mayComeBack: () => Promise.resolve(false) },
    );
    await over(tail);
    assert.equal(tail.failure?.code, 'WORKER_RESET');
    assert.deepEqual(offsets(tail.frames), [0, 1]);
  });

  it('takes nothing of an older epoch once a newer one has spoken (design §2.7)', async () => {
    const newer = logOf(4, (offset) => (offset < 2 ? 1 : 2));
    const stale: Frame = { offset: 4, epoch: 1, type: 'token', data: { t: 'stale', i: 3 } };
    const tail = tailOver(() =>
      Promise.resolve(batches([...newer.slice(0, 4), stale, ...newer.slice(4)], 1)),
    );
    await over(tail);
    assert.deepEqual(tail.frames, newer);
  });

  it('B-DP-167: fetches what lies before when a reader wants it, and keeps what it has', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 20 }), fc.nat(20), fc.nat(20), async (tokens, a, b) => {
        const log = logOf(tokens);
        const [low, high] = [Math.min(a, b) % log.length, Math.max(a, b) % log.length].sort((x, y) => x - y);
        const gate = opening();
        const tail = tailOver(
          async function (from, signal) {
            return Promise.resolve(heldBefore(log, log.length - 1, from, gate.promise, signal));
          },
          {},
          high,
        );
        await tail.opened;
        assert.equal(tail.covers(low ?? 0), true);
        gate.open();
        await over(tail);
        assert.deepEqual(tail.frames, log.slice(low));
      }),
      { numRuns: 40 },
    );
  });

  it('says when it cannot have what lies before: the log is closed already', async () => {
    const tail = tailOver((from) => Promise.resolve(batches(logOf(3).slice(from))), {}, 2);
    await over(tail);
    assert.equal(tail.covers(3), true);
    assert.equal(tail.covers(0), false);
  });

  it('calls live what came after it was first opened, however often it connects', async () => {
    const log = logOf(6);
    let connections = 0;
    const tail = tailOver((from) => Promise.resolve(cutAfter(log.slice(from), ++connections, 1)), {}, 1);
    await over(tail);
    assert.ok(connections > 1);
    assert.equal(tail.liveFrom, 1);
  });

  it('ends its connection when nobody reads any more', async () => {
    let aborted: AbortSignal | undefined;
    const tail = tailOver((_from, signal) => {
      aborted = signal;
      return Promise.resolve(batches(logOf(3).slice(0, 2)));
    });
    await tail.opened;
    tail.stop();
    assert.equal(aborted?.aborted, true);
  });
});

describe('places in a tail', () => {
  it('are found by offset, also where offsets have gaps', async () => {
    const gapped = logOf(10).filter(({ offset }) => offset % 3 !== 1);
    const tail = tailOver(() => Promise.resolve(batches(gapped)));
    await over(tail);
    for (let offset = 0; offset <= 12; offset++) {
      const expected = gapped.findIndex((frame) => frame.offset >= offset);
      assert.equal(tail.indexOf(offset), expected < 0 ? undefined : expected);
    }
  });
});

/** Frames of one connection that breaks after some of them. */
async function* cutAfter(frames: Frame[], length: number, size: number): AsyncGenerator<Frame[]> {
  yield* batches(frames.slice(0, length), size);
  if (length < frames.length) throw new Error('connection cut');
}

/** Frames up to `hold` come at once, the rest when the gate opens; ends when the reader hangs up. */
async function* heldBefore(
  log: Frame[],
  hold: number,
  from: number,
  gate: Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Frame[]> {
  yield* batches(log.slice(from, hold), 2);
  await Promise.race([gate, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
  if (signal.aborted) throw new Error('hung up');
  yield* batches(log.slice(Math.max(from, hold)), 2);
}

function opening(): { promise: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}
