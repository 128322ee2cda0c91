import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Frame, MetricsData } from '../../contracts/events.js';
import { readSettings } from '../../contracts/settings.js';
import type { EventStream } from '../plugins/sse.js';
import { relayTask } from './relay-task.js';
import { sseError, sseFrame, ssePreparation } from './sse-frame.js';
import { TaskTail } from './task-tail.js';

const token = (offset: number): Frame => ({
  offset,
  epoch: 1,
  type: 'token',
  data: { t: `w${offset} `, i: offset },
});
const figures = (offset: number): Frame => ({
  offset,
  epoch: 1,
  type: 'metrics',
  data: {
    queue_depth: 1,
    on_time_probability: 1,
    kv_warmth: false,
    tokens_out: offset,
    tokens_budget_remaining: null,
    time_budget_remaining_ms: null,
    cost_budget_remaining: null,
  },
});
const closing = (offset: number): Frame => ({
  offset,
  epoch: 1,
  type: 'error',
  data: { code: 'CANCELLED', message: 'the task was cancelled', retriable: false },
});

/** A reader whose socket takes `room` writes, then no more until `drain()`. */
class SlowReader implements EventStream {
  readonly written: string[] = [];
  ended = false;
  private readonly ready: (() => void)[] = [];
  constructor(private room: number) {}
  isBlocked = () => this.room <= 0;
  isClosed = () => this.ended;
  write = (text: string) => {
    this.written.push(text);
    this.room -= 1;
  };
  onReady = (listener: () => void) => void this.ready.push(listener);
  onClose = () => undefined;
  end = () => {
    this.ended = true;
  };
  drain(room: number): void {
    this.room = room;
    for (const listener of this.ready) listener();
  }
  get offsets(): number[] {
    return [...this.written.join('').matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  }
}

/** A tail that a test feeds by hand. */
function fedTail(liveFrom = 0) {
  const waiting: Frame[][] = [];
  let wake = (): void => undefined;
  let prepare: (data: MetricsData) => void = () => undefined;
  async function* upstream(): AsyncGenerator<Frame[]> {
    for (;;) {
      const batch = waiting.shift();
      if (batch !== undefined) yield batch;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const tail = new TaskTail(
    {
      connect: (_from, _signal, onPreparation) => {
        prepare = onPreparation;
        return Promise.resolve({ liveFrom, batches: upstream() });
      },
      mayComeBack: () => Promise.resolve(true),
      now: Date.now,
    },
    0,
  );
  const feed = (...frames: Frame[]) =>
    new Promise<void>((resolve) => {
      const last = frames.at(-1)?.offset ?? 0;
      const unwatch = tail.watch(() => {
        if ((tail.frames.at(-1)?.offset ?? -1) < last) return;
        unwatch();
        resolve();
      });
      waiting.push(frames);
      wake();
    });
  return { tail, feed, prepare: (data: MetricsData) => prepare(data) };
}

const serve = (
  tail: TaskTail,
  stream: EventStream,
  from = 0,
  dropped: string[] = [],
  more: { gatherMs?: number; renderPreparation?: (data: MetricsData) => string } = {},
) =>
  relayTask(tail, stream, {
    ...{ from, ...more },
    render: (frame) => sseFrame(frame),
    renderFailure: (failure) => sseError(failure.toEnvelope('c')),
    onDrop: (type) => dropped.push(type),
  });

const series = (count: number, frameAt: (offset: number) => Frame, from = 0) =>
  Array.from({ length: count }, (_, index) => frameAt(from + index));

describe('one reader of a tail', () => {
  it('B-DP-164: gets what comes in quick succession with one write where that is wanted, frame by frame as ever', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { tail, feed } = fedTail();
    const [plain, gathered] = [new SlowReader(Infinity), new SlowReader(Infinity)];
    serve(tail, plain);
    serve(tail, gathered, 0, [], { gatherMs: 20 });
    for (let offset = 0; offset < 4; offset++) await feed(token(offset));
    assert.deepEqual([plain.written.length, gathered.offsets], [4, [0]]);
    t.mock.timers.tick(20);
    assert.deepEqual([gathered.written.length, gathered.offsets], [2, [0, 1, 2, 3]]);
    await feed(token(4));
    await feed(closing(5));
    assert.deepEqual([gathered.ended, gathered.offsets], [true, [0, 1, 2, 3, 4, 5]]);
    assert.equal(gathered.written.join(''), plain.written.join(''), 'no frame looks otherwise');
    assert.equal(readSettings({}).DROVER_SSE_MICROBATCH, false);
  });

  it('B-STR-022, B-DP-160: gets each batch when it comes, and the stream ends with the closing frame', async () => {
    const { tail, feed } = fedTail();
    const reader = new SlowReader(Infinity);
    serve(tail, reader);
    await feed(token(0), token(1));
    assert.deepEqual(reader.offsets, [0, 1]);
    await feed(token(2), closing(3));
    assert.deepEqual(reader.offsets, [0, 1, 2, 3]);
    assert.equal(reader.ended, true);
    tail.stop();
  });

  it('begins where it wants to', async () => {
    const { tail, feed } = fedTail();
    await feed(...series(5, token));
    const reader = new SlowReader(Infinity);
    serve(tail, reader, 3);
    assert.deepEqual(reader.offsets, [3, 4]);
    tail.stop();
  });

  it('B-DP-105: before the first frame it is told how far the preparation is, without an id and in words where it asks for them', async () => {
    const { tail, feed, prepare } = fedTail();
    const [reader, terse] = [new SlowReader(Infinity), new SlowReader(Infinity)];
    serve(tail, reader, 0, [], { renderPreparation: (data) => ssePreparation(data, true) });
    serve(tail, terse);
    const step = {
      status: 'running',
      bytes_total: 4,
      bytes_done: 1,
      pct: 25,
      eta_ms: null,
      phase: 'fetch',
    } as const;
    const { data } = figures(0) as Extract<Frame, { type: 'metrics' }>;
    prepare({ ...data, prep: { 'model:m': { ...step, human: 'fetches the model, 25 %' } } });
    await feed(token(0));
    prepare({ ...data, prep: {} });
    const [told = '', first = '', ...more] = reader.written;
    assert.match(told, /^event: metrics\ndata: .*"prep":\{"model:m":\{"status":"running".*"pct":25/);
    assert.match(told, /"phase":"prepare","human":"fetches the model, 25 %"/);
    assert.ok(!told.includes('id: '));
    assert.match(first, /^id: 0\nevent: token/);
    assert.deepEqual(more, []);
    assert.equal(terse.written.length, 1, 'who is not told of it gets the frames alone');
    tail.stop();
  });

  it('B-DP-169, B-FLOW-008: two readers have the same frames, each at its own pace: nobody is sent more than it takes, and nothing is lost', async () => {
    const { tail, feed } = fedTail();
    const [quick, slow] = [new SlowReader(Infinity), new SlowReader(1)];
    serve(tail, quick);
    serve(tail, slow);
    for (let offset = 0; offset < 10; offset++) await feed(token(offset));
    assert.equal(quick.offsets.length, 10);
    assert.deepEqual(slow.offsets, [0]);
    slow.drain(Infinity);
    assert.deepEqual(slow.offsets, quick.offsets);
    tail.stop();
  });

  it('B-DP-161, C-097: a reader far behind loses live figures, counted, and never a token or the end', async () => {
    const { tail, feed } = fedTail();
    const dropped: string[] = [];
    const reader = new SlowReader(1);
    serve(tail, reader, 0, dropped);
    await feed(token(0));
    const mixed = series(100, (offset) => (offset % 4 === 0 ? figures(offset) : token(offset)), 1);
    for (const frame of mixed) await feed(frame);
    await feed(closing(101));
    reader.drain(Infinity);
    const behind = mixed.filter(({ type, offset }) => type === 'metrics' && 101 - offset > 32);
    assert.equal(dropped.length, behind.length);
    assert.ok(dropped.every((type) => type === 'metrics'));
    const expected = [
      0,
      ...mixed.filter((frame) => !behind.includes(frame)).map(({ offset }) => offset),
      101,
    ];
    assert.deepEqual(reader.offsets, expected);
    assert.equal(reader.ended, true);
    tail.stop();
  });

  it('B-DP-168: what was in the log before the tail was opened is replayed whole, also to a slow reader', async () => {
    const { tail, feed } = fedTail(1_000);
    const dropped: string[] = [];
    await feed(...series(200, (offset) => (offset % 2 === 0 ? figures(offset) : token(offset))));
    const reader = new SlowReader(1);
    serve(tail, reader, 0, dropped);
    while (reader.offsets.length < 200) reader.drain(1);
    assert.deepEqual(dropped, []);
    tail.stop();
  });

  it('B-STR-020: a long replay goes out in chunks, with a look at the socket between them', async () => {
    const { tail, feed } = fedTail();
    await feed(...series(2_000, token));
    const reader = new SlowReader(3);
    serve(tail, reader);
    assert.equal(reader.written.length, 3);
    assert.ok(reader.written.every((chunk) => chunk.length < 20_000 && chunk.endsWith('\n\n')));
    tail.stop();
  });

  it('ends with one error without an id when the log cannot be had any more', async () => {
    const tail = new TaskTail(
      {
        connect: () => Promise.reject(new Error('ECONNREFUSED')),
        mayComeBack: () => Promise.resolve(true),
        now: (() => {
          let now = 0;
          return () => (now += 10);
        })(),
        retry: { firstMs: 1, lastMs: 1, giveUpMs: 20 },
      },
      0,
    );
    const reader = new SlowReader(Infinity);
    const ended = new Promise<void>((resolve) => (reader.end = () => resolve()));
    serve(tail, reader);
    await ended;
    assert.match(
      reader.written.join(''),
      /^event: error\ndata: \{"code":"POOL_UNAVAILABLE".*"correlation_id":"c"\}\n\n$/,
    );
  });
});

describe('a frame on the wire', () => {
  it('B-STR-021: is id, event, one line of data and an empty line', () => {
    const frame = token(7);
    assert.equal(sseFrame(frame), 'id: 7\nevent: token\ndata: {"t":"w7 ","i":7}\n\n');
    const broken: Frame = { ...frame, type: 'token', data: { t: 'a\nb\r\nc "🦙"', i: 7 } };
    const text = sseFrame(broken);
    assert.equal(text.split('\n').length, 5);
    const data = text.split('\n')[2]?.slice('data: '.length) ?? '';
    assert.deepEqual(JSON.parse(data), broken.data);
  });

  it('B-DP-105, C-096: verbose adds words to metrics frames and changes no other', () => {
    const plain = dataOf(sseFrame(figures(3)));
    const verbose = dataOf(sseFrame(figures(3), true));
    assert.equal(verbose['phase'], 'decode');
    assert.match(String(verbose['human']), /3 tokens/);
    const { phase: _phase, human: _human, ...same } = verbose;
    assert.deepEqual(same, plain);
    for (const frame of [token(1), closing(2)]) assert.equal(sseFrame(frame, true), sseFrame(frame));
  });
});

function dataOf(text: string): Record<string, unknown> {
  return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '') as Record<string, unknown>;
}
