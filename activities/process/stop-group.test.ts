import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { livingGroup, startFakeEngine } from '../../testing/started-engine.js';
import { stopGroup, StopError } from './stop-group.js';

/** Long enough that a process on a busy machine reacts to SIGTERM, short enough to wait for. */
const GRACE_MS = 1_500;

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; tookMs: number }> {
  const started = performance.now();
  return { result: await work(), tookMs: performance.now() - started };
}

test('B-PROC-011 B-PRELOAD-030: SIGTERM comes first, and an engine that obeys is reaped, no zombie', async (t) => {
  const engine = await startFakeEngine(t, []);
  const { result, tookMs } = await timed(() => stopGroup({ ...engine, graceMs: 60_000 }));
  assert.deepEqual(result, { forced: false });
  assert.deepEqual(await engine.exited, { code: 0, signal: null }); // Its own handler ended it.
  assert.equal(existsSync(`/proc/${engine.pid}`), false);
  assert.ok(tookMs < 30_000, `${tookMs} ms: the end was not looked for before the grace was half over`);
});

test('half-way through the grace a second SIGTERM ends an engine that needs two', async (t) => {
  const engine = await startFakeEngine(t, ['--sigterms', '2']);
  const { result, tookMs } = await timed(() => stopGroup({ ...engine, graceMs: 2 * GRACE_MS }));
  assert.deepEqual(result, { forced: false });
  assert.deepEqual(await engine.exited, { code: 0, signal: null });
  assert.ok(tookMs >= GRACE_MS);
});

test('B-PROC-012 B-PROC-013: an engine that ignores SIGTERM gets SIGKILL when the grace is over, not before', async (t) => {
  const engine = await startFakeEngine(t, ['--ignore-sigterm']);
  const { result, tookMs } = await timed(() => stopGroup({ ...engine, graceMs: GRACE_MS }));
  assert.deepEqual(result, { forced: true });
  assert.deepEqual(await engine.exited, { code: null, signal: 'SIGKILL' });
  assert.ok(tookMs >= GRACE_MS);
});

test('B-PROC-018: a child that outlives its engine is ended with it', async (t) => {
  const engine = await startFakeEngine(t, ['--fork-child']);
  await eventually(
    () => 'the engine and its child',
    async () => ((await livingGroup(engine.pid)).length === 2 ? true : undefined),
  );
  assert.deepEqual(await stopGroup({ ...engine, graceMs: GRACE_MS }), { forced: true });
  assert.deepEqual(await engine.exited, { code: 0, signal: null }); // The engine obeyed, its child did not.
  assert.deepEqual(await livingGroup(engine.pid), []);
});

test('a child left by an engine that is gone is ended when it carries the token, and left alone when it does not', async (t) => {
  const engine = await startFakeEngine(t, ['--orphan-child'], 'token-of-the-dead');
  await engine.exited;
  const [child] = await eventually(
    () => 'the orphan',
    async () => {
      const group = await livingGroup(engine.pid);
      return group.length === 1 ? group : undefined;
    },
  );
  assert.deepEqual(await stopGroup({ ...engine, graceMs: 0 }), { forced: false });
  assert.deepEqual(await stopGroup({ ...engine, token: 'another', graceMs: 0 }), { forced: false });
  assert.equal((await livingGroup(engine.pid))[0]?.pid, child?.pid);

  assert.deepEqual(await stopGroup({ ...engine, token: 'token-of-the-dead', graceMs: 0 }), { forced: true });
  assert.deepEqual(await livingGroup(engine.pid), []);
});

test('B-PROC-016: a process whose start time is another one is not signalled', async (t) => {
  const engine = await startFakeEngine(t, []);
  assert.deepEqual(await stopGroup({ ...engine, startTicks: '1', graceMs: 0 }), { forced: false });
  assert.equal((await livingGroup(engine.pid)).length, 1);
});

test('a group that is gone is stopped already', async (t) => {
  const engine = await startFakeEngine(t, []);
  await stopGroup({ ...engine, graceMs: 0 });
  assert.deepEqual(await stopGroup({ ...engine, graceMs: GRACE_MS }), { forced: false });
});

for (const pid of [-1, 0, 1, 1.5, NaN]) {
  test(`pid ${pid} is never signalled: it would reach our own group, or everybody`, async () => {
    await assert.rejects(stopGroup({ pid, startTicks: '1', graceMs: 0 }), StopError);
  });
}
