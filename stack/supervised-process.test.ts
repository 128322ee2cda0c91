import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { stopGroup } from '../activities/process/stop-group.js';
import { hasEvent } from './process-log.js';
import type { StackError } from './stack-error.js';
import type { ProcessRecord } from './stack-record.js';
import { superviseProcess, type ProcessPlan } from './supervised-process.js';

const UP = `console.log('{"event":"listening"}'); setInterval(() => {}, 1e6);`;

describe('a supervised process', () => {
  let folder: string;
  let ending: AbortController;
  let records: ProcessRecord[];
  let said: string[];
  let givenUp: Promise<StackError>;
  let onGivenUp: (err: StackError) => void;
  /** Detached processes do not keep the test running. */
  let alive: NodeJS.Timeout;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-supervise-'));
    ending = new AbortController();
    alive = setInterval(() => undefined, 1_000);
    records = [];
    said = [];
    givenUp = new Promise((done) => (onGivenUp = done));
  });
  afterEach(async () => {
    ending.abort();
    clearInterval(alive);
    for (const { pid, start_ticks } of records) await stopGroup({ pid, startTicks: start_ticks, graceMs: 0 });
    await rm(folder, { recursive: true });
  });

  const plan = (program: string): ProcessPlan => ({
    name: 'api',
    command: process.execPath,
    args: ['--eval', program],
    env: {},
    cwd: folder,
    logFile: join(folder, 'api.log'),
    upLimitMs: 10_000,
    isUp: (log) => hasEvent(log, ['listening']),
    endsWithUs: true,
  });

  /** Resolves with the record of the n-th start. */
  function supervision(starts: number) {
    let reached: (record: ProcessRecord) => void;
    const reachedStart = new Promise<ProcessRecord>((done) => (reached = done));
    return {
      reachedStart,
      hooks: {
        say: (line: string) => void said.push(line),
        ending: ending.signal,
        onStarted: async (record: ProcessRecord) => {
          if (records.push(record) === starts) reached(record);
        },
        onGivenUp,
      },
    };
  }

  it('is up when it says so, and recorded', async () => {
    await superviseProcess(plan(UP), supervision(1).hooks);
    assert.deepEqual(
      records.map(({ name }) => name),
      ['api'],
    );
  });

  it('is started again when it was killed', async () => {
    const { hooks, reachedStart } = supervision(2);
    await superviseProcess(plan(UP), hooks);
    process.kill(records[0]?.pid ?? 0, 'SIGKILL');
    assert.notEqual((await reachedStart).pid, records[0]?.pid);
    assert.match(said.join('\n'), /api ended by SIGKILL .*starting it again/);
  });

  it('fails the start with the reason that it gave', async () => {
    const refuses = `console.error('drover api: port 1 is taken'); process.exit(1)`;
    await assert.rejects(superviseProcess(plan(refuses), supervision(1).hooks), {
      name: 'StackError',
      message: 'api ended with code 1: port 1 is taken',
    });
  });

  it('fails the start when it is not up in time', async () => {
    const silent = { ...plan('setInterval(() => {}, 1e6)'), upLimitMs: 200 };
    await assert.rejects(superviseProcess(silent, supervision(1).hooks), {
      message: /api was not up after 0.2 s/,
    });
  });

  it('is given up when it ends again and again', { timeout: 60_000 }, async () => {
    await superviseProcess(
      plan(`console.log('{"event":"listening"}'); setTimeout(() => process.exit(3), 100)`),
      supervision(1).hooks,
    );
    assert.match((await givenUp).message, /api ended with code 3.* 6 times within a minute/);
  });
});
