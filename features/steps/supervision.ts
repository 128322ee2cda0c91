/** Engines crash, and pools come up again. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { fingerprint } from '../support/answer-checks.js';
import { logLine } from '../support/logs.js';
import type { DroverWorld } from '../support/world.js';

/** Delays as short as an engine's start. */
const QUICK = { initial_ms: 100, cap_ms: 200, min_ms: 50 };
const POOL = { pool_id: 'default' };

Given(
  'a fresh installation that holds a pool after {int} crashes',
  async function (this: DroverWorld, circuit_threshold: number) {
    await this.useFreshStack({ supervision: { ...QUICK, circuit_threshold } });
  },
);

Given(
  'a fresh installation that waits {int} ms before a restart',
  async function (this: DroverWorld, initial_ms: number) {
    await this.useFreshStack({ supervision: { initial_ms } });
  },
);

When(
  'the engine is killed {int} times, each time when it serves',
  async function (this: DroverWorld, times: number) {
    const stack = this.breakStack();
    for (let killed = 1; ; killed += 1) {
      await stack.killEngine();
      if (killed === times) return;
      await stack.pool.waitForEngineAfter(stack.killedPid);
    }
  },
);

Then('another engine comes to serve', async function (this: DroverWorld) {
  const { pool, killedPid } = this.stack;
  await pool.waitForEngineAfter(killedPid);
  assert.deepEqual([await pool.lives(), await pool.recordedEngines()], [true, ['default.spawn.json']]);
});

Then(
  'the pool comes to be {string}, and its last error has {string}',
  async function (this: DroverWorld, state: string, words: string) {
    const { last_error, live, ready } = await this.stack.pool.waitForStatus(
      (status) => status.state === state && (status.last_error ?? '').includes(words),
    );
    assert.deepEqual([live, ready, last_error?.includes(words)], [false, false, true]);
  },
);

Then('no task holds a slot of the pool', async function (this: DroverWorld) {
  await this.stack.pool.waitForLeases(0);
});

Then(
  'the node has logged the crash {string}, how long the engine had lived, and when it is started again',
  async function (this: DroverWorld, reason: string) {
    const node = this.stack.mustNode();
    const crash = await logLine(node, { event: 'engine_crashed', ...POOL, reason });
    assert.equal(crash['engine_version'], this.stack.engineVersion);
    assert.deepEqual([crash['exit_code'], crash['signal']], [null, 'SIGKILL']);
    assert.ok(Number(crash['uptime_seconds']) >= 0, String(crash['uptime_seconds']));
    const plan = await logLine(node, { event: 'restart_scheduled', ...POOL, crash_count: 1 });
    // A tenth of chance around the default second.
    assert.ok(Math.abs(Number(plan['backoff_ms']) - 1000) <= 100, String(plan['backoff_ms']));
    assert.ok(!Number.isNaN(Date.parse(String(plan['next_restart_at']))));
  },
);

Then('the node has planned the restart', async function (this: DroverWorld) {
  await logLine(this.stack.mustNode(), { event: 'restart_scheduled', ...POOL });
});

Then(
  'the supervisor of the pool watches after {int} restart(s)',
  async function (this: DroverWorld, restart_count: number) {
    const view = await this.temporal.waitForSupervision('default', ({ step }) => step === 'watch');
    assert.deepEqual([view.restart_count, view.attempts, view.next_restart_at], [restart_count, 1, null]);
  },
);

Then('the general circuit is shown as {int}', async function (this: DroverWorld, value: number) {
  const labels = { ...POOL, circuit: 'general' };
  assert.equal(await this.operator.meter.nodeGauge('circuit_breaker_state', labels), value);
});

Then(
  'the node has raised the alert {string} and logged the way from {string} to {string} after {int} failures',
  async function (
    this: DroverWorld,
    alert: string,
    old_state: string,
    new_state: string,
    failure_count: number,
  ) {
    const node = this.stack.mustNode();
    await logLine(node, { event: 'circuit_moved', ...POOL, old_state, new_state, failure_count });
    const raised = { event: 'alert', severity: 'critical', alert, ...POOL, failure_count };
    assert.equal((await logLine(node, raised))['level'], 'error');
  },
);

When(
  'a task {string} is posted that is pinned to the pool {string}',
  async function (this: DroverWorld, name: string, pin_pool_id: string) {
    await this.tasks.post(name, { placement: { mode: 'pin', pin_pool_id } });
  },
);

When('an operator resets the circuit', async function (this: DroverWorld) {
  await this.http.send('POST', '/v2/pools/default/circuit/reset');
});

Then(
  "the API has logged the reset, with the operator's key and the time",
  async function (this: DroverWorld) {
    const line = await logLine(this.operator.processOf('api'), { event: 'circuit_reset', ...POOL });
    assert.equal(line['by'], `token:${fingerprint(this.stack.key)}`);
    assert.ok(!Number.isNaN(Date.parse(String(line['at']))));
  },
);

When('API, control worker and node worker are killed and started again', async function (this: DroverWorld) {
  const stack = this.breakStack();
  const all = [stack.mustApi().program, stack.mustControl(), stack.mustNode()];
  await Promise.all(all.map((program) => program.kill('SIGKILL')));
  await Promise.all([stack.startNode(), stack.startControl(), stack.startApi()]);
});
