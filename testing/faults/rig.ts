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
import type { PoolName } from './plan.js';
import { engineOf, loadPool } from './pools.js';
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
  /** The first node worker: its log goes on with those that take its place. */
  firstNode: Program;
  folders: RunFolders;
  house: House;
}

/** A stack that is up or coming up. */
export type StartedRig = Omit<Rig, 'firstNode'>;

const NAMESPACE = 'faults';
/** Model of each pool. */
export const MODELS = { slow: 'slow', fast: 'demo' } as const satisfies Record<PoolName, string>;

/** Starts processes; pools are loaded by {@link loadPools}. */
export async function startRig(house: House, seed: number): Promise<Rig> {
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
  const stack = new Stack(`seed-${seed}`, { preload: false }, NAMESPACE, parts);
  const victims = { apis: new Apis(stack), controls: new Controls(stack) };
  const rig = { stack, temporal, ...victims, folders, house };
  house.rigs.add(rig);
  try {
    await stack.start();
    rig.apis.adopt();
    await Promise.all([rig.apis.add(), rig.controls.add()]);
  } catch (err) {
    await stopRig(rig);
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

/**
 * Ends everything.
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
