/**
 * Activity `takeEngineStep`: one step of making an engine available, done once however often it is tried and by however many
 * pools it is wanted. What it runs ends with it: when it is cancelled, when its worker ends, and when the next worker begins.
 */
import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { rm } from 'node:fs/promises';
import type { EngineStepOrder } from '../../contracts/provisioning.js';
import { isDownloadFailure } from '../../domain/download.js';
import {
  nameOf,
  PACKAGE_MANAGER,
  planTools,
  stepFailure,
  type ProvisionStep,
} from '../../domain/engine-provision.js';
import type { NodeActivityDeps } from '../deps.js';
import { heartbeating } from '../engine/heartbeating.js';
import { lastLines, logTail } from '../engine/log-tail.js';
import { poolFailure } from '../failures.js';
import { fetchModelFileActivity } from '../model/fetch-model-file.js';
import { SpawnError } from '../process/spawn-detached.js';
import { whyStopped } from '../shutting-down.js';
import { engineFolder, type EngineFolder } from './engine-folder.js';
import { missingTools } from './find-engine.js';
import { endLeftCommand, runCommand } from './run-command.js';
import { commandsOf, stepEnvironment } from './step-commands.js';
import { createTurns } from './turns.js';

type Deps = Pick<
  NodeActivityDeps,
  'engines' | 'engineUser' | 'env' | 'models' | 'stopGraceMs' | 'closing' | 'now' | 'log'
>;

/** A network may be back in a moment; what cannot be built can not be built again. */
const PASSING: readonly ProvisionStep[] = ['git-clone', 'package-install'];
/** Nobody asks the metrics of models for engines. */
const UNCOUNTED = { progress: () => undefined, ended: () => undefined };

/** Builds the activity `takeEngineStep`. */
export function takeEngineStepActivity(deps: Deps) {
  const inTurn = createTurns();
  /**
   * Does the step, unless it is done.
   * @throws ApplicationFailure `ProvisionFailed` with the step, its exit code and the tail of its output
   */
  return async function takeEngineStep(order: EngineStepOrder): Promise<void> {
    const { step, engine_id } = order;
    const folder = engineFolder(deps.engines.dir, engine_id);
    // The system's packages are installed by one at a time.
    const key = step === 'package-install' ? PACKAGE_MANAGER : engine_id;
    await heartbeating((signal) =>
      inTurn(key, signal, async () => {
        if (step !== 'package-install' && (await folder.isDone(step))) return;
        await folder.prepare(deps.engineUser);
        await endLeftCommand(folder.running, deps.stopGraceMs);
        await folder.discard(step);
        try {
          await carryOut(deps, order, folder, signal);
        } catch (err) {
          await folder.discard(step);
          throw err;
        }
        await folder.markDone(step);
      }),
    ).catch((err: unknown) => {
      throw whyEnded(err, Context.current().cancellationSignal);
    });
  };
}

function whyEnded(err: unknown, signal: AbortSignal): unknown {
  return signal.aborted && err === signal.reason ? whyStopped(signal.reason) : err;
}

async function carryOut(
  deps: Deps,
  order: EngineStepOrder,
  folder: EngineFolder,
  signal: AbortSignal,
): Promise<void> {
  const { step, provisioning, pool_id } = order;
  deps.log.info({ event: 'engine_step', pool_id, step, engine_catalog_id: order.engine_id }, step);
  if (step === 'download') return download(deps, order, folder);
  const logFile = folder.log(step);
  await rm(logFile, { force: true });
  const packages = step === 'package-install' ? await packagesOf(deps, order) : [];
  // Packages are the system's, and installed as whom the worker is.
  const user = step === 'package-install' ? null : deps.engineUser;
  for (const command of commandsOf({ step, provisioning, target: order, folder, packages })) {
    const where = { cwd: folder.work, logFile, runningFile: folder.running, user };
    const env = stepEnvironment(step, folder, deps.env());
    const exit = await runCommand(command, { ...where, env, stopGraceMs: deps.stopGraceMs, signal }).catch(
      (err: unknown) => {
        if (!(err instanceof SpawnError)) throw err;
        throw poolFailure('ProvisionFailed', `${step}: ${err.message}`, { pool_id }, { cause: err });
      },
    );
    if (exit.code === 0) continue;
    const tail = lastLines((await logTail(logFile)).replaceAll(`${folder.work}/`, ''));
    const cause = { cause_code: 'ENGINE_STEP_FAILED', step, exit_code: exit.code, output_tail: tail };
    const details = { pool_id, exit_code: exit.code, signal: exit.signal, cause };
    const message = stepFailure(step, exit, tail);
    throw poolFailure('ProvisionFailed', message, details, { retryable: PASSING.includes(step) });
  }
}

async function packagesOf(deps: Deps, order: EngineStepOrder): Promise<string[]> {
  const { provisioning: wish, pool_id } = order;
  if (wish.mode === 'package')
    return [wish.version === undefined ? wish.package : `${wish.package}=${wish.version}`];
  const tools = planTools(await missingTools(order, deps.env()), deps.engines.mayInstall);
  if (!tools.ok) throw poolFailure('ProvisionFailed', tools.problem, { pool_id });
  return tools.packages;
}

/** Goes on from what is there of it, and checks its digest, as a model's file does. */
async function download(deps: Deps, order: EngineStepOrder, { files }: EngineFolder): Promise<void> {
  const { provisioning: wish, pool_id, engine_id } = order;
  if (wish.mode !== 'binary') return;
  const { url, sha256 } = wish;
  const models = {
    ...deps.models,
    metrics: UNCOUNTED,
    folder: { ...deps.models.folder, gatheringOf: () => files },
  };
  const file = { path: nameOf(url), from: { url, by: null }, size_bytes: null, sha256 };
  try {
    await fetchModelFileActivity({ ...deps, models })({ model_id: engine_id, file });
  } catch (err) {
    if (!(err instanceof ApplicationFailure) || !isDownloadFailure(err.type ?? '')) throw err;
    const [facts] = (err.details ?? []) as ({ passing?: boolean } | undefined)[]; // As `downloadFailure` makes them.
    const cause = { cause_code: err.type, step: 'download' };
    const options = { retryable: facts?.passing ?? false, cause: err };
    throw poolFailure('ProvisionFailed', `download: ${err.message}`, { pool_id, cause }, options);
  }
}
