/** Plays one seed: starts a stack, lets clients, operator and strikes loose, gathers what is known, ends everything. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { taskWorkflowId } from '../../domain/identity.js';
import { Client } from './client.js';
import { Clock } from './clock.js';
import { Draw } from './draw.js';
import type { Counts, Facts, PreloadFacts, TaskFacts } from './facts.js';
import {
  closedWorkflows,
  gatherPools,
  gatherPreload,
  gatherTask,
  nodeEvents,
  readCounters,
  readLog,
  taskIdsOf,
  temporalViewOf,
  type Counters,
  type Gatherer,
} from './gather.js';
import type { Plan } from './plan.js';
import { engineOf, loadPool } from './pools.js';
import { loadPools, MODELS, startRig, stopRig, type House, type Rig } from './rig.js';
import type { Exchange, Story } from './story.js';
import { Strikes } from './strikes.js';
import type { Undisturbed } from './undisturbed.js';
import { Engines, NodeWorker, Stalls } from './victims.js';
import { Wire } from './wire.js';

/** What was played. */
interface Played {
  stories: readonly Story[];
  preloads: readonly Omit<PreloadFacts, 'status' | 'engines'>[];
  strikes: Strikes;
}

/** Plays a plan. @throws Error when the stack does not come up; what happens later is in the facts */
export async function playSeed(plan: Plan, house: House, undisturbed: Undisturbed): Promise<Facts> {
  const rig = await startRig(house, plan.seed);
  let facts: Omit<Facts, 'leftBehind'>;
  try {
    facts = await playOn(rig, plan, { house, undisturbed });
  } catch (err) {
    await stopRig(rig);
    throw err;
  }
  const leftBehind = await stopRig(rig);
  const tasks = new Map([...facts.tasks].map(([id, known]) => [id, { ...known, log: readLog(rig, id) }]));
  return { ...facts, tasks, leftBehind };
}

async function playOn(
  rig: Rig,
  plan: Plan,
  { house, undisturbed }: { house: House; undisturbed: Undisturbed },
): Promise<Omit<Facts, 'leftBehind'>> {
  const quiet = { wire: new Wire(rig.stack.key, new Clock()), clock: new Clock() };
  await loadPools(rig, house.models, quiet);
  await undisturbed.learn(plan.clients.flat(), quiet.wire, rig.apis.mustLiving().client.url);
  const before = await readCounters(rig);
  const clock = new Clock();
  const wire = new Wire(rig.stack.key, clock);
  const { stories, preloads, strikes } = await playClients(rig, plan, { house, wire, clock });
  await writeStories(rig, stories, strikes);
  const gatherer = { rig, wire, clock };
  const known = await gatherAll(gatherer, stories, preloads);
  const pools = await gatherPools(rig);
  const now = await readCounters(rig);
  return {
    plan,
    stories,
    undisturbed: undisturbed.sayings,
    ...known,
    workflowIds: known.workflowIds.filter((id) => !isUndisturbed(id, undisturbed)),
    pools,
    node: {
      counts: strikes.count('node') > 0 ? undefined : countsBetween(before, now),
      deaths: strikes.count('node') + strikes.count('engine'),
      queueDepth: now.queueDepth,
      events: nodeEvents(rig, undisturbed.ids),
    },
    strikes: strikes.log,
    accidents: [...strikes.accidents, ...crashedOf(rig).map((name) => `${name} ended by itself`)],
  };
}

/** A node worker that took another's place has counted from nothing. */
function countsBetween(before: Counters, now: Counters): Counts {
  return {
    tasksStarted: now.tasksStarted - before.tasksStarted,
    tokensOut: now.tokensOut - before.tokensOut,
  };
}

/** The stack knows the processes that it started, the victims theirs; the first API is in both. */
function crashedOf({ stack, apis, controls }: Rig): string[] {
  const names = stack.crashed.map(({ name }) => name);
  return [...new Set([...names, ...apis.crashed(), ...controls.crashed()])];
}

function isUndisturbed(workflowId: string, { ids }: Undisturbed): boolean {
  return [...ids].some((taskId) => taskWorkflowId(taskId) === workflowId);
}

async function playClients(
  rig: Rig,
  plan: Plan,
  { house, wire, clock }: { house: House; wire: Wire; clock: Clock },
): Promise<Played> {
  const doors = () => rig.apis.doors();
  const doorDraw = new Draw(plan.seed);
  const door = () => doorDraw.pick(doors());
  const victims = {
    api: rig.apis,
    control: rig.controls,
    node: new NodeWorker(rig.stack),
    engine: new Engines(rig.stack, Object.keys(MODELS)),
    stall: new Stalls(rig.stack, Object.keys(MODELS)),
  };
  const strikes = new Strikes(victims, clock, plan.strikes);
  const onPost = (task: string, door: string) => strikes.onPost(task, door);
  const clients = plan.doorSeeds.map((seed) => new Client({ wire, clock, doors, onPost }, new Draw(seed)));
  const operate = async (
    planned: PreloadFacts['planned'],
  ): Promise<{ answers: Exchange[] } & typeof planned> => {
    const prepared = await engineOf(planned.pool, await house.models.path('demo'));
    await clock.reaches(planned.notBeforeMs);
    const answers = await loadPool(prepared, { wire, clock, door });
    return { ...planned, answers };
  };
  strikes.begin();
  const operating = Promise.all(plan.preloads.map(operate));
  await Promise.all(clients.map((client, index) => client.play(plan.clients[index] ?? [])));
  const preloads = await operating;
  await strikes.allMended();
  return {
    stories: clients.flatMap((client) => client.stories),
    preloads: preloads.map(({ answers, ...planned }) => ({ planned, answers })),
    strikes,
  };
}

async function gatherAll(gatherer: Gatherer, stories: readonly Story[], preloads: Played['preloads']) {
  const { rig } = gatherer;
  const view = temporalViewOf(rig);
  const workflowIds = await closedWorkflows(view);
  const tasks = new Map<string, TaskFacts>();
  for (const [taskId, story] of taskIdsOf(stories)) {
    tasks.set(taskId, { ...(await gatherTask(story, taskId, { gatherer, view })), log: undefined });
  }
  const loaded: PreloadFacts[] = [];
  for (const { planned, answers } of preloads) {
    loaded.push({ planned, answers, ...(await gatherPreload(rig, planned.pool, view)) });
  }
  return { workflowIds, tasks, preloads: loaded };
}

/** For whoever reads a failure: every request and every visit of every client, and what was struck when. */
async function writeStories({ folders }: Rig, stories: readonly Story[], strikes: Strikes): Promise<void> {
  const lines = stories.map((story) => JSON.stringify(story));
  await writeFile(join(folders.logs, 'stories.jsonl'), `${lines.join('\n')}\n`);
  await writeFile(join(folders.logs, 'strikes.log'), `${strikes.log.join('\n')}\n`);
}
