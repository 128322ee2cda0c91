/** The stack that a seed is played on: Temporal, a node worker with two engines, two APIs and two control workers. */
import { join } from 'node:path';
import { rm, mkdir } from 'node:fs/promises';
import type { Models } from '../../features/support/models.js';
import type { RunFolders } from '../../features/support/places.js';
import { Stack } from '../../features/support/stack.js';
import { startTemporalServer, type TemporalServer } from '../../features/support/temporal-server.js';
import { processesNaming } from '../processes.js';
import type { Program } from '../program.js';
import type { Clock } from './clock.js';
import type { PlanWish, PoolName } from './plan.js';
import { engineOf, loadPool } from './pools.js';
import { RESERVE_BYTES, SmallDisk } from './small-disk.js';
import { Apis, Controls } from './victims.js';
import type { Wire } from './wire.js';

/** What all seeds share. */
export interface House {
  /** Program of the Temporal server. */
  temporalPath: string;
  models: Models;
  /** Its logs are kept when a seed fails. */
  logRoot: string;
  /** State of every process; each command line or environment of ours names it. */
  work: string;
  /** Stacks that are up: whoever is told to end in between ends them first. */
  rigs: Set<StartedRig>;
}

/** A started stack. */
export interface Rig {
  stack: Stack;
  temporal: TemporalServer;
  apis: Apis;
  controls: Controls;
  /** Where the run logs are, if it may be filled. */
  disk: SmallDisk | undefined;
  /** The first node worker: its log goes on with those that take its place. */
  firstNode: Program;
  folders: RunFolders;
  house: House;
}

/** A stack that is up or coming up. */
export type StartedRig = Omit<Rig, 'firstNode'>;

const NAMESPACE = 'faults';
/**
 * Engines are struck more often than any crash loop is let go on: what holds those is tested elsewhere, and here an engine
 * that is held would serve nobody for the rest of the run.
 */
const SUPERVISION = {
  circuit_threshold: 1_000,
  window_restarts: 1_000,
  storm_restarts: 1_000,
  cap_ms: 4_000,
};
/** Model of each pool. */
export const MODELS = { slow: 'slow', fast: 'demo' } as const satisfies Record<PoolName, string>;

/** Starts processes; pools are loaded by {@link loadPools}. */
export async function startRig(house: House, { seed, seconds, victims: struck }: PlanWish): Promise<Rig> {
  const folders = { work: house.work, logs: join(house.logRoot, String(seed)) };
  await rm(folders.logs, { recursive: true, force: true });
  await mkdir(folders.logs, { recursive: true });
  const { temporalPath, models } = house;
  const temporal = await startTemporalServer(temporalPath, folders, 'temporal', [NAMESPACE]);
  const parts = {
    folders,
    temporal,
    temporalPath,
    models,
    engine: 'embedded',
    xllamacpp: undefined,
  } as const;
  const wish = {
    preload: false,
    supervision: SUPERVISION,
    diskReserveBytes: RESERVE_BYTES,
    nodeOnHost: struck.includes('cut'),
  };
  const stack = new Stack(`seed-${seed}`, wish, NAMESPACE, parts);
  const victims = { apis: new Apis(stack), controls: new Controls(stack) };
  const rig: StartedRig = { stack, temporal, ...victims, disk: undefined, folders, house };
  house.rigs.add(rig);
  try {
    if (struck.includes('disk')) rig.disk = await SmallDisk.mount(join(stack.stateDir, 'runs'), seconds);
    await stack.start();
    rig.apis.adopt();
    await Promise.all([rig.apis.add(), rig.controls.add()]);
  } catch (err) {
    await endRig(rig);
    throw err;
  }
  return { ...rig, firstNode: stack.mustNode() };
}

/** Loads the pools that the clients use. @throws Error when one does not come up */
export async function loadPools(
  { apis }: Rig,
  models: Models,
  { wire, clock }: { wire: Wire; clock: Clock },
): Promise<void> {
  const door = () => apis.mustLiving().client.url;
  for (const [pool, model] of Object.entries(MODELS)) {
    const answers = await loadPool(await engineOf(pool, await models.path(model)), { wire, clock, door });
    const last = answers.at(-1);
    if (last?.status !== 200) throw new Error(`the pool ${pool} does not load: ${last?.text ?? ''}`);
  }
}

/** Ends everything, and leaves nothing mounted. */
export async function endRig(rig: StartedRig): Promise<void> {
  await stopRig(rig);
  await rig.disk?.unmount();
}

/**
 * Ends every process; the run logs can be read still.
 * @returns command lines of what was left running, which is killed
 */
export async function stopRig(rig: StartedRig): Promise<string[]> {
  const { stack, temporal, apis, controls, folders, house } = rig;
  house.rigs.delete(rig);
  await Promise.all([apis.stop(), controls.stop()]);
  await stack.stop();
  await temporal.stop();
  const left = await processesNaming(folders.work);
  for (const { pid } of left) process.kill(pid, 'SIGKILL');
  return left.map(({ pid, commandLine }) => `${pid} ${commandLine}`);
}
