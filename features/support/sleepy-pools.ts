/** Pools on demand of one scenario: how they are set up, and what their node has logged of them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { poolHealth, preloadResult, type PoolHealth, type PreparedEngine } from '../../contracts/pool.js';
import { eventually } from '../../testing/changes.js';
import { isAlive } from '../../testing/processes.js';
import { logLines } from './logs.js';
import type { ModelName } from './models.js';
import type { DroverWorld } from './world.js';

/** What of its launch is a scenario's own. */
export interface SleepyWish {
  model?: ModelName;
  modelRef?: string;
  idleTtlMs?: number;
  modelPath?: string;
}

/** Pools on demand of one scenario. */
export class SleepyPools {
  constructor(private readonly world: DroverWorld) {}

  /** The reference that tasks for this pool have. */
  refOf(pool: string): string {
    return `model-of-${pool}`;
  }

  /** Keeps the launch of a pool; nothing is loaded. */
  async lay(pool: string, wish: SleepyWish = {}): Promise<void> {
    const launch = await this.launch(pool, wish);
    const { idleTtlMs } = wish;
    const prepared = {
      ...launch,
      ...{ on_demand: true, port_fixed: false },
      ...(idleTtlMs === undefined ? {} : { idle_ttl_ms: idleTtlMs }),
    };
    const path = `/v2/pools/${pool}/preload`;
    const { status, json, text } = await this.world.http.send('POST', path, {
      body: { prepared, asleep: true },
    });
    assert.equal(status, 200, text);
    assert.deepEqual(preloadResult.parse(json), { pool_id: pool, pid: null, handoff_path: null });
    assert.equal((await this.health(pool)).state, 'asleep');
  }

  private async launch(
    pool: string,
    { model = 'demo', modelRef, modelPath }: SleepyWish,
  ): Promise<PreparedEngine> {
    const launch = await this.world.stack.prepareEngine(model);
    const place = modelPath ?? (modelRef === undefined ? launch.model_path : '{model_path}');
    const flags = launch.flags.map((flag) => (flag === launch.model_path ? place : flag));
    const named = { pool_id: pool, model_ref: modelRef ?? this.refOf(pool), model_name: null };
    return { ...launch, ...named, flags, model_path: place };
  }

  /** Puts the demo model at the hub, which takes its time. */
  async putAtHub(ref: string, seconds: number): Promise<void> {
    const { model_path } = await this.world.stack.prepareEngine('demo');
    const [org, repo, ...path] = ref.replace('hf:', '').split('/');
    const hub = this.world.stack.mustHub();
    hub.put(`/${org}/${repo}/resolve/main/${path.join('/')}`, await readFile(model_path));
    hub.behave(() => ({ pauseMs: (seconds * 1000) / 20 }));
  }

  async health(pool: string): Promise<PoolHealth> {
    return poolHealth.parse((await this.world.http.send('GET', `/v2/pools/${pool}/health`)).json);
  }

  /** Waits until the pool sleeps and no process of its engine is left. */
  async fallsAsleep(pool: string): Promise<void> {
    await eventually(
      () => `the pool ${pool} to sleep`,
      async () => {
        const { state } = await this.health(pool);
        return state === 'asleep' && this.pids(pool).every((pid) => !isAlive(pid)) ? true : undefined;
      },
    );
  }

  /** Waits until the pool sleeps, and shows this reason of a load that failed. */
  async hasFailed(pool: string, reason: RegExp): Promise<void> {
    await eventually(
      () => `the pool ${pool} to say why it sleeps`,
      async () => {
        const { state, last_error } = await this.health(pool);
        return state === 'asleep' && reason.test(last_error ?? '') ? true : undefined;
      },
    );
  }

  /** Engines that the node has started for the pool, by their pids. */
  pids(pool: string): number[] {
    const lines = logLines(this.world.stack.mustNode(), { event: 'pool_ready', pool_id: pool });
    return lines.map(({ pid }) => Number(pid));
  }
}
