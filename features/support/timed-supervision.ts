/** A pool that is supervised for hours, on the time-skipping server and a node that is a typed twin in memory. */
import { randomUUID } from 'node:crypto';
import { After } from '@cucumber/cucumber';
import type { SupervisionView } from '../../contracts/supervision.js';
import {
  openSupervisionStage,
  supervisedTwin,
  type EngineLife,
  type SupervisionStage,
  type SupervisorRun,
} from '../../testing/supervision-stage.js';
import { resetCircuitUpdate } from '../../workflows/messages.js';
import { timedPlace } from './timed-run.js';
import type { DroverWorld } from './world.js';

/** A policy that holds nothing: every crash is followed by a restart. */
const UNHELD = { circuit_threshold: 1_000, storm_restarts: 1_000 };

/** The pool of one scenario. */
export class SupervisedPool {
  private constructor(
    private readonly stage: SupervisionStage,
    private readonly run: SupervisorRun,
    private readonly twin: ReturnType<typeof supervisedTwin>,
  ) {}

  /** Begins to supervise a pool whose engines live so long, one after the other; the one after them serves for ever. */
  static async open(lives: readonly EngineLife[], { held }: { held: boolean }): Promise<SupervisedPool> {
    const poolId = `pool-${randomUUID().slice(0, 8)}`;
    const stage = await openSupervisionStage(timedPlace());
    const twin = supervisedTwin(poolId, lives);
    return new SupervisedPool(stage, await stage.supervise(poolId, twin, held ? {} : UNHELD), twin);
  }

  /** Lets so much time pass. */
  pass(ms: number): Promise<void> {
    return this.stage.sleep(ms);
  }

  /** Waits until the supervisor stands like that, while no time passes. */
  until(wanted: (view: SupervisionView) => boolean): Promise<SupervisionView> {
    return this.stage.until(this.run, wanted);
  }

  /** What an operator does who has mended the cause. */
  async resetCircuit(): Promise<void> {
    await this.run.executeUpdate(resetCircuitUpdate, { args: [{ by: 'token:abc123' }] });
  }

  /** When the engine was started again, by the server's clock. */
  get restartsAtMs(): readonly number[] {
    return this.twin.restartsAtMs;
  }

  /** The waits that were planned before restarts, in seconds. */
  get waitsSeconds(): number[] {
    return this.twin.told.planRestart.map(({ backoff_ms }) => backoff_ms / 1_000);
  }

  /** Nobody supervises it any more: its timers would go off in the scenarios after this one. */
  async close(): Promise<void> {
    await this.run.terminate('the scenario is over');
    await this.stage.close();
  }
}

const pools = new WeakMap<DroverWorld, SupervisedPool>();

/** Gives the scenario a pool whose engine crashes again and again, each time so long after its start. */
export async function supervise(
  world: DroverWorld,
  lives: readonly EngineLife[],
  how = { held: true },
): Promise<void> {
  pools.set(world, await SupervisedPool.open(lives, how));
}

/** The scenario's pool. @throws Error when it has none */
export function supervised(world: DroverWorld): SupervisedPool {
  const pool = pools.get(world);
  if (pool === undefined) throw new Error('no pool is supervised');
  return pool;
}

After({ tags: '@time-skipping' }, async function (this: DroverWorld) {
  await pools.get(this)?.close();
});
