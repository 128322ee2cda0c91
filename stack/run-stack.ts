/**
 * The life of a stack, from the claim on the state folder to the last process' end.
 *
 *     claim ─live──> say where it is
 *       └──> guardian → Temporal → node, control, API → preload → up ──signal, or a process given up──> end in order
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { askApi } from './ask-api.js';
import { announcement } from './announce.js';
import { settleAddresses } from './addresses.js';
import { claim } from './claim.js';
import type { Configuration } from './configuration.js';
import type { Settings } from '../contracts/settings.js';
import { endStack } from './end-stack.js';
import { DEFAULT_MODEL } from '../domain/model-ref.js';
import { chooseBackend, chooseEngine, DEFAULT_POOL, type EngineChoice } from './engine-choice.js';
import { findTemporal } from './find-temporal.js';
import { startGuardian } from './guardian-pipe.js';
import { chooseModel, makeDemoModel } from './model.js';
import { placesIn, type Places } from './places.js';
import { boundLog } from './process-log.js';
import { awaitPools, preloadDefaultPool } from './preload.js';
import { ownPlans, temporalPlan, type PlanContext } from './process-plans.js';
import { readSecrets } from './secrets.js';
import { keepStack, type StackKeeper } from './stack-keeper.js';
import type { StackUrls } from './stack-record.js';
import { StackError, type Say } from './stack-error.js';
import { superviseProcess, type Supervision } from './supervised-process.js';
import { keepHistoriesForAWeek, registerSearchAttributes, temporalTrouble } from './temporal-admin.js';

/** Logs grow by megabytes a day, not a minute; the timer is also what keeps us running while nothing happens. */
const BOUND_LOGS_EVERY_MS = 60_000;

/** How a stack is run. */
export interface RunOptions {
  configuration: Configuration;
  say: Say;
  /** Aborted when the stack shall end. */
  stop: AbortSignal;
  /** Aborted when nobody wants to wait for its end. */
  force: AbortSignal;
}

/**
 * Runs a stack until it is told to end, or says where a live one is.
 * @throws StackError when it could not start or could not go on; nothing is left running then
 */
export async function runStack({ configuration, say, stop, force }: RunOptions): Promise<void> {
  const { settings } = configuration;
  const places = placesIn(settings.DROVER_STATE_DIR);
  const secrets = await readSecrets(places.stateDir, settings);
  const tell = (urls: StackUrls): void => announce(urls, { configuration, places, secrets }, say);
  const found = await claim(places, say, stop, askApi(settings));
  if ('live' in found) {
    say('a stack runs already');
    return tell(found.live);
  }
  const keeper = keepStack(places.stackFile, found.claimed);
  const ending = new AbortController();
  let failure: StackError | undefined;
  const end = (err?: StackError) => {
    failure ??= err;
    ending.abort();
  };
  stop.addEventListener('abort', () => end(), { once: true });
  const bounding = setInterval(() => void boundLogs(places), BOUND_LOGS_EVERY_MS);
  try {
    if (stop.aborted) return;
    const supervision = { say, ending: ending.signal, onStarted: keeper.started, onGivenUp: end };
    const urls = await bringUp({ configuration, places, secrets }, keeper, supervision);
    tell(urls);
    say('Ctrl-C ends it');
    await aborted(ending.signal);
  } catch (err) {
    if (!ending.signal.aborted) throw err;
  } finally {
    ending.abort();
    clearInterval(bounding);
    await takeDown(keeper, places, say, force);
  }
  if (failure !== undefined) throw failure;
}

async function boundLogs(places: Places): Promise<void> {
  const names = (await readdir(places.logDir).catch(() => [])).filter((name) => name.endsWith('.log'));
  // One that cannot be cut is tried again a minute later.
  await Promise.allSettled(names.map((name) => boundLog(join(places.logDir, name))));
}

type Ground = Omit<PlanContext, 'addresses' | 'backend'>;

/** Everything that can be refused is looked at before the first process starts. */
async function bringUp(ground: Ground, keeper: StackKeeper, supervision: Supervision): Promise<StackUrls> {
  const { configuration, places, secrets } = ground;
  const { say, ending } = supervision;
  const { settings } = configuration;
  say(`state folder ${places.stateDir}`);
  sayConfig(configuration, say);
  const pools = configuration.config.file?.pools?.filter(({ preload }) => preload);
  const own = pools === undefined ? await chooseOwnPool(settings, places) : undefined;
  const backend = own?.engine.prepared.backend ?? (await chooseBackend());
  const addresses = await settleAddresses(configuration, say);
  const context = { ...ground, addresses, backend };
  for (const folder of [places.logDir, places.temporalDir, places.nodeDir]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  keeper.guarded(await startGuardian(places));
  await bringUpTemporal(context, supervision);
  if (own !== undefined && own.model.name !== null) await makeDemoModel(own.model, ending);
  say('starting API, control worker and node worker');
  await allOrFirstFailure(ownPlans(context).map((plan) => superviseProcess(plan, supervision)));
  const [key = ''] = secrets.apiKeys.split(',');
  const api = { url: addresses.urls.api, key, ask: askApi(settings) };
  if (own !== undefined) {
    sayEngine(own.engine, say);
    await preloadDefaultPool(api, own.engine.prepared, say, ending);
  } else await awaitPools(api, pools?.map(({ id }) => id) ?? [], say, ending);
  await keeper.up(addresses.urls);
  return addresses.urls;
}

/** The pool `default`, where the configuration file names no pools. */
async function chooseOwnPool(settings: Settings, places: Places) {
  const model = await chooseModel(settings.DROVER_MODEL, places);
  return { model, engine: await chooseEngine(settings, model) };
}

function sayConfig({ config: { file, overrides } }: Configuration, say: Say): void {
  if (file !== undefined) say(`configuration file ${file.path}`);
  for (const { setting, file_value, environment_value } of overrides)
    say(`${setting}: the environment says ${environment_value}, the file ${file_value}`);
}

async function bringUpTemporal(context: PlanContext, supervision: Supervision): Promise<void> {
  const { configuration, addresses } = context;
  const { say, ending } = supervision;
  const target = { address: addresses.urls.temporal, namespace: configuration.settings.TEMPORAL_NAMESPACE };
  if (addresses.temporalPorts === undefined) {
    say(`using Temporal at ${target.address}`);
    const trouble = await temporalTrouble(target);
    if (trouble !== undefined) throw new StackError(trouble);
  } else {
    const plan = temporalPlan(context, await findTemporal(say, ending));
    say(`starting Temporal on ${target.address}`);
    if (plan !== undefined) await superviseProcess(plan, supervision);
    await keepHistoriesForAWeek(target);
  }
  await registerSearchAttributes(target);
}

function sayEngine({ prepared, title }: EngineChoice, say: Say): void {
  const where = prepared.backend === 'cpu' ? 'cpu (no GPU was found)' : prepared.backend;
  say(`preloading pool "${prepared.pool_id}": ${prepared.model_path} on ${title}, backend: ${where}`);
}

/** Waits for all even when one fails, so that nothing is started behind the back of the clean-up. */
async function allOrFirstFailure(starts: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(starts);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function takeDown(keeper: StackKeeper, places: Places, say: Say, force: AbortSignal): Promise<void> {
  const { processes } = keeper.record();
  if (processes.length > 0) say('ending; again Ctrl-C kills');
  await endStack(processes, {
    nodeDir: places.nodeDir,
    force,
    onForced: (name) => say(`${name} did not end in time and was killed`),
  });
  await keeper.over();
  if (processes.length > 0) say('everything has ended');
}

function announce(urls: StackUrls, { configuration, places, secrets }: Ground, say: Say): void {
  const [apiKey = ''] = secrets.apiKeys.split(',');
  const { TEMPORAL_NAMESPACE: namespace } = configuration.settings;
  const told = { urls, apiKey, namespace, logDir: places.logDir, modelRef: servedModel(configuration) };
  for (const line of announcement(told)) say(line);
}

/** What the pool `default` serves, or the first pool of the configuration file. */
function servedModel({ config }: Configuration): string {
  const pools = config.file?.pools ?? [];
  const [first] = pools;
  if (first === undefined || pools.some(({ id }) => id === DEFAULT_POOL)) return DEFAULT_MODEL;
  return first.model_name ?? first.model_ref ?? `file:${first.model}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => {
    signal.addEventListener('abort', () => done(), { once: true });
  });
}
