import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { bootId } from '../activities/process/process-identity.js';
import { spawnDetached, type DetachedProcess } from '../activities/process/spawn-detached.js';
import type { SpawnRecord } from '../contracts/handoff.js';
import { endStack } from './end-stack.js';
import { readLog } from './process-log.js';
import type { ProcessRecord } from './stack-record.js';

/** Says that it is up, and its name when it is asked to end. */
const POLITE = `
  process.on('SIGTERM', () => { console.log('ended ' + process.argv[1]); process.exit(0); });
  setInterval(() => {}, 1e6); console.log('up ' + process.argv[1]);`;
const DEAF = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); console.log('up ' + process.argv[1]);`;

describe('the end of a stack', () => {
  let folder: string;
  let log: string;
  let started: DetachedProcess[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-end-'));
    log = join(folder, 'all.log');
    started = [];
    await mkdir(join(folder, 'node'));
  });
  afterEach(async () => {
    for (const { pid } of started) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // Ended, as it should be.
      }
    }
    await rm(folder, { recursive: true });
  });

  const options = () => ({ nodeDir: join(folder, 'node') });

  async function start(name: string, program: string): Promise<ProcessRecord> {
    const args = ['--eval', program, name];
    const child = await spawnDetached({
      command: process.execPath,
      args,
      env: {},
      cwd: folder,
      logFile: log,
    });
    started.push(child);
    while (!(await readLog(log, 0)).includes(`up ${name}`)) await new Promise((done) => setTimeout(done, 20));
    return { name, pid: child.pid, start_ticks: child.startTicks, boot_id: await bootId() };
  }

  async function recordEngine({ pid, start_ticks, boot_id }: ProcessRecord): Promise<void> {
    const record: SpawnRecord = {
      pool_id: 'default',
      replica_id: 'r0',
      pid,
      started_ticks: start_ticks,
      boot_id,
      argv_digest: 'x',
      token: 'of-the-test',
      spawned_at_ms: 0,
      prepared: {
        ...{ pool_id: 'default', replica_id: 'r0', engine: 'llamacpp', engine_version: '1', port: 1 },
        ...{
          provisioning_mode: 'binary',
          binary_path: '/x',
          flags: [],
          host: '127.0.0.1',
          port_fixed: false,
        },
        ...{ health_path: '/health', model_path: '/m', model_ref: 'demo', model_name: null, backend: 'cpu' },
        ...{
          device_mask: null,
          share_devices: false,
          tensor_split: null,
          engine_digest: null,
          engine_catalog_id: null,
          split_plan: null,
          slots_total: 1,
          ctx_max: 64,
          env: {},
        },
      },
    };
    await writeFile(join(folder, 'node', 'default.spawn.json'), JSON.stringify(record));
  }

  it('B-LIFE-017: ends API, node and leftover engines in this order, and Temporal last', async () => {
    const temporal = await start('temporal', POLITE);
    const node = await start('node', POLITE);
    const api = await start('api', POLITE);
    await recordEngine(await start('engine', POLITE));
    const ended = await endStack([temporal, node, api], options());
    assert.deepEqual(ended, ['api', 'node', 'engine default/r0', 'temporal']);
    const said = (await readLog(log, 0)).split('\n').filter((line) => line.startsWith('ended'));
    assert.deepEqual(said, ['ended api', 'ended node', 'ended engine', 'ended temporal']);
  });

  it('leaves a process alone that only has the pid of a recorded one', async () => {
    const stranger = await start('api', POLITE);
    assert.deepEqual(await endStack([{ ...stranger, start_ticks: '1' }], options()), []);
    assert.deepEqual(await endStack([{ ...stranger, boot_id: 'another' }], options()), []);
    assert.doesNotThrow(() => process.kill(stranger.pid, 0));
  });

  it('kills at once when nobody wants to wait', { timeout: 10_000 }, async () => {
    const deaf = await start('node', DEAF);
    const force = new AbortController();
    const forced: string[] = [];
    const ending = endStack([deaf], {
      ...options(),
      force: force.signal,
      onForced: (name) => forced.push(name),
    });
    force.abort();
    assert.deepEqual(await ending, ['node']);
    assert.deepEqual(forced, ['node']);
  });
});
