/** Plays one seed: starts a stack, lets clients, operator and strikes loose, gathers what is known, ends everything. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { taskWorkflowId } from '../../domain/identity.js';
import { Client, TASK_LIMIT_MS } from './client.js';
import { Cables } from './cables.js';
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
import { endRig, loadPools, MODELS, startRig, stopRig, type House, type Rig } from './rig.js';
import type { Exchange, Story } from './story.js';
import { Strikes } from './strikes.js';
import type { Undisturbed } from './undisturbed.js';
import { Both, Disks, Engines, NodeWorker, Stalls } from './victims.js';
import { Wire } from './wire.js';

/** Every wait has a limit of its own; all of them together are longer than anybody wants to wait for a verdict. */
const SEED_LIMIT_MS = 240_000;

/** What was played. */
interface Played {
  stories: readonly Story[];
  preloads: readonly Omit<PreloadFacts, 'status' | 'engines'>[];
  strikes: Strikes;
}

/** Plays a plan. @throws Error when the stack does not come up; what happens later is in the facts */
export async function playSeed(plan: Plan, house: House, undisturbed: Undisturbed): Promise<Facts> {
  const rig = await startRig(house, plan);
  let facts: Omit<Facts, 'leftBehind'>;
  try {
    facts = await playInTime(rig, plan, { house, undisturbed });
  } catch (err) {
    await endRig(rig);
    throw err;
  }
  const leftBehind = await stopRig(rig);
  const tasks = new Map([...facts.tasks].map(([id, known]) => [id, { ...known, log: readLog(rig, id) }]));
  await rig.disk?.unmount();
  return { ...facts, tasks, leftBehind };
}

/** What a run works with beside its rig. */
interface Shared {
  house: House;
  undisturbed: Undisturbed;
}

/** @throws Error that names the stage which did not come to its end */
async function playInTime(rig: Rig, plan: Plan, shared: Shared): Promise<Omit<Facts, 'leftBehind'>> {
  let stage = '';
  let timer: NodeJS.Timeout | undefined;
  const limitMs = plan.seconds * 1_000 + SEED_LIMIT_MS;
  const late = new Promise<never>((_, reject) => {
    const tell = () => reject(new Error(`the seed took longer than ${limitMs} ms: ${stage}`));
    timer = setTimeout(tell, limitMs);
  });
  const played = playOn(rig, plan, { ...shared, enter: (next) => (stage = next) });
  return Promise.race([played, late]).finally(() => clearTimeout(timer));
}

async function playOn(
  rig: Rig,
  plan: Plan,
  { house, undisturbed, enter }: Shared & { enter: (stage: string) => void },
): Promise<Omit<Facts, 'leftBehind'>> {
  const quiet = { wire: new Wire(rig.stack.key, new Clock()), clock: new Clock() };
  enter('pools are loaded');
  await loadPools(rig, house.models, quiet);
  await undisturbed.learn(plan.clients.flat(), quiet.wire, rig.apis.mustLiving().client.url);
  const before = await readCounters(rig);
  const clock = new Clock();
  const wire = new Wire(rig.stack.key, clock);
  enter('clients are served');
  const { stories, preloads, strikes } = await playClients(rig, plan, { house, wire, clock });
  enter('what became of the tasks is gathered');
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
      counts: strikes.count('node', 'both') > 0 ? undefined : countsBetween(before, now),
      // Both at once are two: the next worker may begin a run again before it knows that the engine is gone.
      deaths: strikes.count('node', 'engine', 'both', 'both'),
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
  const node = new NodeWorker(rig.stack);
  const engine = new Engines(rig.stack, Object.keys(MODELS));
  const victims = {
    ...{ api: rig.apis, control: rig.controls, node, engine, both: new Both(node, engine) },
    ...{ stall: new Stalls(rig.stack, Object.keys(MODELS)), disk: new Disks(rig.disk) },
    cut: new Cables(rig.stack),
  };
  const strikes = new Strikes(victims, clock, plan.strikes);
  const onPost = (task: string, door: string) => strikes.onPost(task, door);
  const deps = { wire, clock, doors, onPost, endsAtMs: plan.seconds * 1_000 + TASK_LIMIT_MS };
  const clients = plan.doorSeeds.map((seed) => new Client(deps, new Draw(seed)));
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
