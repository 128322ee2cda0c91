import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { pino } from 'pino';
import { DroverError } from '../../contracts/errors.js';
import { readSettings } from '../../contracts/settings.js';
import { preparedEngine } from '../../contracts/pool.js';
import { seedOf } from '../../domain/seed.js';
import { eventually } from '../../testing/changes.js';
import { Narrations } from '../../testing/narrations.js';
import { ManualEngine, nodesOfTests, offerOf } from '../../testing/test-node.js';

const aNode = nodesOfTests();

async function gone(reached: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!reached()) {
    assert.ok(Date.now() < deadline, 'it did not go');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const refusedWith = (code: string) => (err: unknown) => err instanceof DroverError && err.code === code;

test('B-DP-082, B-DP-083: the same offer again is the same run, another body is a conflict', async () => {
  const { runs, engine } = await aNode();
  const first = await runs.offer(offerOf('t'));
  const again = await runs.offer(offerOf('t'));
  assert.deepEqual(again.admission, first.admission);
  await engine.asked(1);
  assert.equal(engine.requests.length, 1);
  await assert.rejects(runs.offer(offerOf('t', { digest: 'other' })), refusedWith('TASK_CONFLICT'));
});

test('B-DP-192: the engine gets the seed of the request, or one made of the id, and the log says which', async () => {
  const heard = new Narrations();
  const { runs, engine } = await aNode({ slots: 2, log: heard.log });
  await runs.attach(offerOf('asked', { request: { seed: 7 } }));
  await runs.attach(offerOf('silent'));
  await engine.asked(2);
  const seeds = [7, seedOf({ task_id: 'silent' })];
  assert.deepEqual(
    engine.requests.map(({ seed }) => seed),
    seeds,
  );
  const told = heard.lines.filter(({ event }) => event === 'run_started');
  assert.deepEqual(
    told.map(({ seed }) => seed),
    seeds,
  );
});

test('B-DP-194: on a deterministic pool of llama.cpp a task is decoded greedily, unless it asks for a temperature', async () => {
  const { runs, engine, pools } = await aNode({ slots: 0 });
  const prepared = preparedEngine.parse({
    ...{ pool_id: 'default', engine_version: 'b1', binary_path: '/bin/true', port: 1, model_ref: 'demo' },
    ...{ model_path: '/m.gguf', slots_total: 2, ctx_max: ManualEngine.CONTEXT, backend: 'cpu' },
    flags: ['--parallel', '1', '--no-cont-batching'],
  });
  pools.ready({ prepared, url: 'http://127.0.0.1:1', pid: 1, startTicks: '1' });
  await runs.attach(offerOf('free', { request: { temperature: 0.7, top_p: 0.9 } }));
  await runs.attach(offerOf('plain'));
  await engine.asked(2);
  assert.deepEqual(
    engine.requests.map(({ temperature, topP }) => [temperature, topP]),
    [
      [0.7, 0.9],
      [0, 1],
    ],
  );
});

test('B-DP-142: a stream that has finished has no cancel left, also when its log is read again', async () => {
  const { runs, engine, crash, runsDir } = await aNode({ slots: 2 });
  for (const id of ['cancelled', 'whole']) await runs.attach(offerOf(id));
  await engine.asked(2);
  const cancelled = runs.cancel('cancelled', 'client');
  assert.equal(runs.mustGet('cancelled').cancelReason, 'client');
  await cancelled;
  const flags = (register: typeof runs) => {
    const { cancelReason, endedBy, end } = register.mustGet('cancelled');
    return [cancelReason, endedBy, end?.state];
  };
  assert.deepEqual(flags(runs), [null, 'client', 'cancelled']);
  await crash();
  const again = await aNode({ slots: 0, runsDir });
  assert.deepEqual(flags(again.runs), [null, 'client', 'cancelled']);
});

test('design 2.2: no frame is shown before the offer is confirmed, though the engine has begun', async () => {
  const { runs, engine } = await aNode();
  await runs.offer(offerOf('t'));
  await engine.asked(1);
  const run = runs.mustGet('t');
  engine.say('a');
  await engine.heard();
  assert.ok(run.nextOffset > 0);
  assert.equal(run.confirmed, false);
  runs.confirm('t');
  assert.equal(run.confirmed, true);
  assert.equal(run.framesFrom(0)[0]?.type, 'started');
});

test('a run that ends before it is confirmed keeps its frames for the confirmation, and is dropped without one', async () => {
  const { runs, engine } = await aNode({ offerTtlMs: 200 });
  for (const id of ['confirmed', 'forgotten']) {
    await runs.offer(offerOf(id));
    await engine.asked(id === 'confirmed' ? 1 : 2);
    engine.say('one');
    engine.finish('EOS');
    await runs.waitForEnd(id, AbortSignal.timeout(5_000));
  }
  const frames = runs.mustGet('confirmed');
  assert.equal(runs.confirm('confirmed').state, 'completed');
  assert.equal(frames.framesFrom(0).at(-1)?.type, 'end');
  await gone(() => runs.get('forgotten') === undefined);
  assert.equal(runs.mustView('confirmed').confirmed, true);
});

test('an offer that nobody confirms is dropped after its time, its slot and its log are free again', async () => {
  const { runs, engine, runsDir, pools } = await aNode({ offerTtlMs: 30 });
  await runs.offer(offerOf('t'));
  await engine.asked(1);
  await engine.left(1);
  assert.equal(runs.get('t'), undefined);
  assert.deepEqual(readdirSync(runsDir), []);
  assert.equal(pools.status('default')?.slots_free, 1);
});

test('a withdrawn offer is void for a workflow that comes late, and free for a client that tries again', async () => {
  const { runs } = await aNode();
  await runs.offer(offerOf('t'));
  runs.withdraw('t');
  assert.equal(runs.get('t'), undefined);
  await assert.rejects(async () => runs.attach(offerOf('t')), refusedWith('OFFER_WITHDRAWN'));
  assert.throws(() => runs.confirm('t'), refusedWith('OFFER_WITHDRAWN'));
  const again = await runs.offer(offerOf('t'));
  assert.equal(again.state === 'queued' || again.state === 'dispatched', true);
  assert.equal(runs.confirm('t').confirmed, true);
  runs.withdraw('t');
  assert.equal((await runs.attach(offerOf('t'))).confirmed, true);
});

test('a confirmation finds the offer at its place when the queue has filled, and a workflow brings a lost one back', async () => {
  const { runs } = await aNode({ capacity: 1 });
  await runs.attach(offerOf('running'));
  const waiting = await runs.offer(offerOf('waiting'));
  assert.equal(waiting.queue_position, 0);
  await assert.rejects(runs.offer(offerOf('late')), refusedWith('ADMISSION_REJECT'));
  assert.equal(runs.confirm('waiting').queue_position, 0);
  const lost = await runs.attach(offerOf('lost'));
  assert.equal(lost.queue_position, 1);
});

test('B-PL-019: a task waits for busy engines; one that may not is told that all are busy, and takes a slot that is free', async () => {
  const { runs, engine, pools } = await aNode();
  await runs.attach(offerOf('running'));
  assert.equal((await runs.offer(offerOf('queued'))).state, 'queued');
  const hasty = offerOf('hasty', { request: { may_wait: false } });
  const exhausted = (err: unknown) =>
    err instanceof DroverError &&
    err.code === 'REPLICA_EXHAUSTED' &&
    err.extras.policy_label === 'retry' &&
    (err.extras.retry_after_ms ?? 0) > 0;
  await assert.rejects(runs.offer(hasty), exhausted);
  await engine.asked(1);
  engine.finish('EOS');
  await runs.waitForEnd('running', AbortSignal.timeout(5_000));
  // The slot is for the one that waits.
  await assert.rejects(runs.offer(hasty), exhausted);
  await runs.cancel('queued', 'client');
  // A reader hears of an end a moment before the slot is given back.
  await eventually(
    () => 'a free slot',
    () => (pools.get('default')?.scheduler.hasSlot === true ? true : undefined),
  );
  assert.equal((await runs.offer(hasty)).state, 'dispatched');
  pools.draining('default');
  // What was accepted waits, whatever it wished then.
  assert.equal((await runs.attach({ ...hasty, task_id: 'moved' })).state, 'queued');
});

test('B-DP-121, B-DP-123, B-DP-124: frames are started, tokens numbered from 0, metrics, one end', async () => {
  const { runs, engine } = await aNode();
  await runs.attach(offerOf('t'));
  await engine.asked(1);
  engine.say('one');
  engine.say('');
  engine.say(' two');
  engine.finish('EOS');
  const view = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const frames = runs.mustGet('t').framesFrom(0);
  assert.deepEqual(
    frames.map((frame) => frame.type),
    ['started', 'token', 'metrics', 'token', 'end'],
  );
  const tokens = frames.flatMap((frame) => (frame.type === 'token' ? [frame.data] : []));
  assert.deepEqual(tokens, [
    { t: 'one', i: 0 },
    { t: ' two', i: 1 },
  ]);
  assert.deepEqual([view.state, view.tokens_out, view.stop_reason], ['completed', 3, 'EOS']);
  assert.deepEqual(
    frames.map((frame) => frame.offset),
    [0, 1, 2, 3, 4],
  );
});

test('B-DP-127: the first forecast of a run is judged by its end: in time or not, and not at all when it was called off', async () => {
  const judged: [string, boolean][] = [];
  const { runs, engine } = await aNode({
    judged: (pool, forecast, inTime) => {
      assert.ok(forecast > 0 && forecast <= 1);
      judged.push([pool, inTime]);
    },
  });
  await runs.attach(offerOf('whole'));
  await engine.asked(1);
  for (const text of ['one', 'two']) engine.say(text);
  engine.finish('EOS');
  await runs.waitForEnd('whole', AbortSignal.timeout(5_000));
  await gone(() => judged.length === 1);
  assert.deepEqual(judged, [['default', true]]);
  await runs.attach(offerOf('called-off'));
  await engine.asked(2);
  engine.say('one');
  await engine.heard();
  await runs.cancel('called-off', 'client');
  assert.equal(judged.length, 1);
  await runs.attach(offerOf('late', { request: { deadline_ms: 300 } }));
  await engine.asked(3);
  engine.say('one');
  await runs.waitForEnd('late', AbortSignal.timeout(5_000));
  await gone(() => judged.length === 2);
  assert.deepEqual(judged[1], ['default', false]);
});

test('B-DP-131, B-DP-133, B-DP-152, B-DP-206: a cancel after one token frees the slot, lets no later token in and ends with one error', async () => {
  const { runs, engine, pools } = await aNode();
  await runs.attach(offerOf('t'));
  await engine.asked(1);
  engine.say('one');
  await engine.heard();
  const cancelled = runs.cancel('t', 'client');
  engine.say(' late');
  const view = await cancelled;
  assert.equal(view.state, 'cancelled');
  assert.equal(pools.status('default')?.slots_free, 1);
  const frames = runs.mustGet('t').framesFrom(0);
  assert.deepEqual(
    frames.map((frame) => frame.type),
    ['started', 'token', 'metrics', 'error'],
  );
  const last = frames.at(-1);
  assert.equal(last?.type === 'error' && last.data.code, 'CANCELLED');
  assert.equal(last?.type === 'error' && last.data.retriable, false);
});

test('B-DP-207, B-DP-209, B-DP-134: a waiting task is cancelled once, never runs, and its stream is one error', async () => {
  const { runs, engine, canceled } = await aNode();
  await runs.attach(offerOf('running'));
  await runs.attach(offerOf('waiting'));
  await runs.cancel('waiting', 'client');
  await runs.cancel('waiting', 'client');
  assert.deepEqual(canceled, ['client']);
  await engine.asked(1);
  engine.finish('EOS');
  await runs.waitForEnd('running', AbortSignal.timeout(5_000));
  assert.equal(engine.requests.length, 1);
  assert.deepEqual(
    runs
      .mustGet('waiting')
      .framesFrom(0)
      .map((frame) => frame.type),
    ['error'],
  );
});

test('B-DP-180, B-DP-181: a deadline that passes in the queue expires the task, one in mid-run times it out', async () => {
  const { runs, engine } = await aNode();
  await runs.attach(offerOf('running', { request: { deadline_ms: 400 } }));
  await runs.attach(offerOf('waiting', { request: { deadline_ms: 40 } }));
  await engine.asked(1);
  engine.say('one');
  const waiting = await runs.waitForEnd('waiting', AbortSignal.timeout(5_000));
  const running = await runs.waitForEnd('running', AbortSignal.timeout(5_000));
  assert.deepEqual([waiting.state, waiting.error?.code], ['expired', 'DEADLINE_UNMET']);
  assert.deepEqual([running.state, running.error?.code], ['failed', 'DECODE_TIMEOUT']);
  assert.equal(running.error?.retriable, true);
});

test('B-DEAD-001, B-DEAD-002, B-DEAD-006: the deadline of admission holds here too: the engine is left, the slot free, and the log says so', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const { runs, engine } = await aNode({ log });
  const deadline_at_ms = Date.now() + 300;
  // Counted from here it would have a minute.
  await runs.attach(offerOf('t', { deadline_at_ms, request: { deadline_ms: 60_000 } }));
  await engine.asked(1);
  assert.equal(engine.requests[0]?.deadlineAtMs, deadline_at_ms);
  engine.say('one');
  const ended = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  assert.deepEqual([ended.state, ended.error?.code], ['failed', 'DECODE_TIMEOUT']);
  assert.ok((ended.ended_at_ms ?? 0) >= deadline_at_ms);
  await engine.left(1);
  await runs.attach(offerOf('next'));
  await engine.asked(2);
  const logged = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  await gone(() => logged().some(({ event }) => event === 'run_ended'));
  const end = logged().find(({ event }) => event === 'run_ended');
  assert.deepEqual([end?.['task_id'], end?.['code']], ['t', 'DECODE_TIMEOUT']);
});

test('B-DEAD-003: a run that goes on after its engine broke off has the deadline that it had', async () => {
  const { runs, engine } = await aNode();
  const deadline_at_ms = Date.now() + 60_000;
  await runs.attach(offerOf('t', { deadline_at_ms }));
  await engine.asked(1);
  engine.say('one');
  await engine.heard();
  engine.breakOff();
  await engine.asked(2);
  assert.deepEqual(
    engine.requests.map(({ deadlineAtMs }) => deadlineAtMs),
    [deadline_at_ms, deadline_at_ms],
  );
});

test('B-DP-187: the end of a task whose time is over says at which stage, after how long, and what the limit was', async () => {
  const { runs, engine } = await aNode({ slots: 2 });
  await runs.attach(offerOf('running', { request: { deadline_ms: 300 } }));
  await engine.asked(1);
  engine.say('one');
  await engine.heard();
  await runs.attach(offerOf('starting', { request: { deadline_ms: 200 } }));
  await engine.asked(2);
  await runs.attach(offerOf('waiting', { request: { deadline_ms: 40 } }));
  for (const [task, stage, limit] of [
    ['waiting', 'queue', 40],
    ['starting', 'startup', 200],
    ['running', 'execution', 300],
  ] as const) {
    const { error } = await runs.waitForEnd(task, AbortSignal.timeout(5_000));
    const [, found, spent, of] = /\(stage (\w+), (\d+) ms of (\d+) ms\)$/.exec(error?.message ?? '') ?? [];
    assert.deepEqual([found, Number(of)], [stage, limit], error?.message);
    assert.ok(Number(spent) >= limit, spent);
  }
});

test('B-DP-183, B-DP-184: a run that is longer than its limit is broken off by the watchdog, and its slot is free', async () => {
  const { runs, engine, canceled, pools } = await aNode();
  await runs.attach(offerOf('t', { request: { wall_ms: 100, deadline_ms: 60_000 } }));
  await engine.asked(1);
  engine.say('one');
  const { state, error } = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  assert.deepEqual([state, error?.code, error?.retriable], ['failed', 'DECODE_TIMEOUT', true]);
  assert.match(error?.message ?? '', /^the limit of its execution passed .* of 100 ms\)$/);
  assert.deepEqual(canceled, ['watchdog']);
  await gone(() => pools.status('default')?.slots_free === 1);
});

test("B-DP-185: a request's limit stands above its pool's, that above the node's; none is longer than half an hour", async () => {
  const limitOf = async (own: number | undefined, pool: number | undefined) => {
    const { runs, engine } = await aNode({ runLimitMs: 60, ...(pool === undefined ? {} : { wallMs: pool }) });
    await runs.attach(offerOf('t', { request: own === undefined ? {} : { wall_ms: own } }));
    await engine.asked(1);
    const { error } = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
    return Number(/ of (\d+) ms\)$/.exec(error?.message ?? '')?.[1]);
  };
  assert.deepEqual(
    await Promise.all([limitOf(40, 50), limitOf(undefined, 50), limitOf(undefined, undefined)]),
    [40, 50, 60],
  );
  assert.equal(readSettings({}).DROVER_RUN_LIMIT_MS, 300_000);
  assert.throws(() => readSettings({ DROVER_RUN_LIMIT_MS: '1800001' }), /DROVER_RUN_LIMIT_MS/);
});

test('B-DP-186: a run that has used four fifths of its time is warned of, with a frame, and goes on', async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    {},
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const { runs, engine } = await aNode({ log });
  await runs.attach(offerOf('t', { request: { wall_ms: 1_000 } }));
  await engine.asked(1);
  engine.say('one');
  await engine.heard();
  const figures = () =>
    runs
      .mustGet('t')
      .framesFrom(0)
      .filter(({ type }) => type === 'metrics').length;
  const before = figures();
  const warnings = () => lines.filter(({ event }) => event === 'run_near_limit');
  await gone(() => warnings().length > 0);
  engine.say('two');
  await engine.heard();
  assert.equal(figures(), before + 1);
  const [warning] = warnings();
  assert.deepEqual([warning?.['level'], warning?.['limit_ms'], warning?.['task_id']], [40, 1_000, 't']);
  engine.finish('EOS');
  const { state } = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  assert.equal(state, 'completed');
});

test('B-DP-183: the time of a run counts from its first slot, also when another worker goes on with it', async () => {
  const first = await aNode();
  await first.runs.attach(offerOf('t', { request: { wall_ms: 300 } }));
  await first.engine.asked(1);
  first.engine.say('one');
  await first.engine.heard();
  await gone(() => Date.now() - (first.runs.mustGet('t').startedAtMs ?? Infinity) > 300);
  await first.crash();
  const second = await aNode({ runsDir: first.runsDir });
  const { state, error } = await second.runs.waitForEnd('t', AbortSignal.timeout(5_000));
  assert.deepEqual([state, error?.code], ['failed', 'DECODE_TIMEOUT']);
});

test('B-DP-043: a prompt and max_tokens beyond the context are refused before they wait', async () => {
  const { runs } = await aNode();
  const tooLong = offerOf('t', { request: { max_tokens: ManualEngine.CONTEXT } });
  await assert.rejects(runs.offer(tooLong), refusedWith('INVALID_PARAMS'));
  await assert.rejects(
    runs.offer(offerOf('u', { request: { ctx: 4, max_tokens: 8 } })),
    refusedWith('INVALID_PARAMS'),
  );
  assert.equal(runs.get('t'), undefined);
});

test('B-ERR-003: an offer to an engine that stands still, or breaks off, is refused for now and leaves nothing', async () => {
  const stands = (_input: unknown, signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const breaks = () => Promise.reject(new DroverError('WORKER_RESET', 'the connection was lost'));
  for (const tokenize of [stands, breaks]) {
    const adapterOf = () => Object.assign(new ManualEngine(), { tokenize });
    const { runs } = await aNode({ adapterOf, offerTtlMs: 50 });
    const isForNow = (err: unknown) =>
      err instanceof DroverError && err.code === 'POOL_UNAVAILABLE' && err.extras.retry_after_ms === 1_000;
    await assert.rejects(runs.offer(offerOf('t')), isForNow);
    assert.equal(runs.get('t'), undefined);
  }
});

test('a prompt without tokens is refused, and ends as refused where that is found out only when the pool is up', async () => {
  const up = await aNode();
  up.engine.promptIds = [];
  await assert.rejects(up.runs.offer(offerOf('t')), refusedWith('INVALID_PARAMS'));
  assert.equal(up.runs.get('t'), undefined);
  const late = await aNode({ slots: 0 });
  await late.runs.attach(offerOf('t'));
  late.engine.promptIds = [];
  late.open(1);
  await late.runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const { type, data } = late.runs.mustGet('t').framesFrom(0).at(-1) ?? {};
  assert.deepEqual([type, (data as { code?: string }).code], ['error', 'INVALID_PARAMS']);
  assert.equal(late.engine.requests.length, 0);
});

test('design 3: the next worker takes waiting tasks in their order and goes on with a run from its logged ids', async () => {
  const before = await aNode();
  for (const id of ['running', 'first', 'second']) await before.runs.attach(offerOf(id));
  await before.engine.asked(1);
  before.engine.say('one');
  await before.engine.heard();
  await before.crash();
  const after = await aNode({ runsDir: before.runsDir, slots: 0 });
  assert.deepEqual(after.pools.get('default')?.scheduler.waiting(), ['running', 'first', 'second']);
  after.engine.spelling = 'one';
  after.open(1);
  await after.engine.asked(1);
  const [request] = after.engine.requests;
  assert.deepEqual([request?.promptIds, request?.maxTokens], [[1, 2, 3, 10], 7]);
  after.engine.say(' two');
  after.engine.finish('EOS');
  await after.runs.waitForEnd('running', AbortSignal.timeout(5_000));
  const frames = after.runs.mustGet('running').framesFrom(0);
  const text = frames.map((frame) => (frame.type === 'token' ? frame.data.t : '')).join('');
  assert.equal(text, 'one two');
  assert.equal(frames.filter((frame) => frame.type === 'started').length, 1);
  assert.deepEqual(
    frames.flatMap((frame) => (frame.type === 'token' ? [frame.data.i] : [])),
    [0, 1],
  );
});

test('an offer keeps its place when its worker dies before anybody confirms it, and what it has computed', async () => {
  const before = await aNode();
  for (const id of ['runs', 'waits']) await before.runs.offer(offerOf(id));
  await before.runs.attach(offerOf('behind'));
  await before.engine.asked(1);
  before.engine.say('one');
  await before.engine.heard();
  await before.crash();
  const after = await aNode({ runsDir: before.runsDir, slots: 0, offerTtlMs: 1 });
  assert.deepEqual(after.pools.get('default')?.scheduler.waiting(), ['runs', 'waits', 'behind']);
  assert.equal(after.runs.mustView('runs').confirmed, false);
  const { confirmed, tokens_out } = after.runs.confirm('runs');
  assert.deepEqual([confirmed, tokens_out], [true, 1]);
});

test('an offer whose run had ended when its worker died can be confirmed at the next', async () => {
  const before = await aNode();
  await before.runs.offer(offerOf('quick'));
  await before.engine.asked(1);
  before.engine.say('one');
  before.engine.finish('EOS');
  await before.runs.waitForEnd('quick', AbortSignal.timeout(5_000));
  await before.crash();
  const after = await aNode({ runsDir: before.runsDir, slots: 0 });
  const { confirmed, state } = after.runs.confirm('quick');
  assert.deepEqual([confirmed, state], [true, 'completed']);
});

test('a cancel that came before the worker died is carried out by the next', async () => {
  const before = await aNode();
  await before.runs.attach(offerOf('t'));
  await before.engine.asked(1);
  before.runs.mustGet('t').record({ kind: 'cancel', reason: 'client', at_ms: 1 });
  await before.crash();
  const after = await aNode({ runsDir: before.runsDir });
  assert.equal(after.runs.mustView('t').state, 'cancelled');
  assert.equal(after.engine.requests.length, 0);
});

test('C-103, B-DP-166: a task that asked for it is cancelled once its last reader has been away, and not while one reads', async () => {
  const { runs, engine, canceled } = await aNode({ slots: 2 });
  await runs.attach(offerOf('left', { request: { cancel_on_disconnect: true } }));
  await runs.attach(offerOf('kept'));
  await engine.asked(2);
  const leave = runs.mustGet('left').readers.enter();
  runs.abandon('left');
  runs.abandon('kept');
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.deepEqual(canceled, []);
  leave();
  runs.abandon('left');
  const view = await runs.waitForEnd('left', AbortSignal.timeout(5_000));
  assert.deepEqual([view.state, canceled], ['cancelled', ['disconnect']]);
  assert.equal(runs.mustView('kept').ended, false);
});

test('B-REG-131: a task of a pool that this node does not have is refused, and the pool is not made', async () => {
  const node = await aNode();
  await assert.rejects(
    node.runs.offer({ ...offerOf('t'), pool_id: 'unknown' }),
    refusedWith('POOL_NOT_FOUND'),
  );
  assert.equal(node.pools.get('unknown'), undefined);
});

test('B-REG-133: a lease ends with its task, however that ends, once', async () => {
  const node = await aNode({ slots: 2 });
  const leases = () => node.pools.status('default')?.active_leases;
  const end = { done: () => node.engine.finish('EOS'), broken: () => node.engine.fail() };
  for (const [at, id] of (['done', 'broken'] as const).entries()) {
    await node.runs.attach(offerOf(id));
    await node.engine.asked(at + 1);
    assert.equal(leases(), 1);
    end[id]();
    await node.runs.waitForEnd(id, AbortSignal.timeout(5_000));
    await gone(() => leases() === 0);
    assert.equal(node.pools.status('default')?.slots_free, 2);
  }
});

test('B-DP-094: metrics frames tell what the session has left: what it had at admission, less what the task has used', async () => {
  const { runs, engine } = await aNode();
  const had = { tokens_budget_remaining: 3, time_budget_remaining_ms: 600, cost_budget_remaining: 1 };
  const limited = { ...offerOf('limited'), budgets: { ...had, token_price: 0.25 } };
  await runs.attach(limited);
  await engine.asked(1);
  engine.say('one');
  await engine.heard();
  const figures = (taskId: string) =>
    runs
      .mustGet(taskId)
      .framesFrom(0)
      .flatMap(({ type, data }) => (type === 'metrics' ? [data] : []));
  const [left] = figures('limited');
  assert.deepEqual(
    [left?.tokens_budget_remaining, left?.time_budget_remaining_ms, left?.cost_budget_remaining],
    [2, 600, 0.75],
  );
  engine.finish('EOS');
  await runs.waitForEnd('limited', AbortSignal.timeout(5_000));
  await runs.attach(offerOf('free'));
  await engine.asked(2);
  engine.say('one');
  await engine.heard();
  const [free] = figures('free');
  assert.deepEqual(
    [free?.tokens_budget_remaining, free?.time_budget_remaining_ms, free?.cost_budget_remaining],
    [null, null, null],
  );
});

test('B-DP-129: figures come once the session has a token on this replica, and say that it is warm', async () => {
  const { runs, engine } = await aNode();
  await runs.attach(offerOf('t'));
  await engine.asked(1);
  const warmth = () =>
    runs
      .mustGet('t')
      .framesFrom(0)
      .flatMap(({ type, data }) => (type === 'metrics' ? [data.kv_warmth] : []));
  engine.say('');
  await engine.heard();
  assert.deepEqual(warmth(), []);
  engine.say('one');
  await engine.heard();
  assert.deepEqual(warmth(), [true]);
});
