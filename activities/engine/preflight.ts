/** Activity `preflight`: looks at the node before anything is started there; the verdict is `domain/preflight.ts`'s. */
import { preparedEngine, type PreloadResult, type PreparedEngine } from '../../contracts/pool.js';
import { withSplit } from '../../domain/hetero-split.js';
import { withKnownFlags } from '../../domain/launch-flags.js';
import { takenDevices, withChosenDevice } from '../../domain/device-mask.js';
import { moveToPort } from '../../domain/engine-port.js';
import { judgePreflight } from '../../domain/preflight.js';
import type { PreflightFacts, PreflightRefusal } from '../../domain/preflight-facts.js';
import { chosenGpu, ramNeedBytes, splitOf } from '../../domain/preflight-memory.js';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';
import { engineFields, narration } from '../pool/pool-fields.js';
import { replicaFiles } from '../replica-files.js';
import { isSameProcess } from '../process/process-identity.js';
import { readSpawnRecord } from '../process/spawn-record.js';
import type { EngineRoom } from './engine-room.js';
import { findPort } from './find-port.js';
import { findGpuTools, queryDevices } from './gpu-tools.js';
import { inspectBinary, inspectModel } from './inspect-files.js';
import { requireFreeDevices } from './require-free-devices.js';
import { requireSameSet } from './require-same-set.js';
import { requireTurn } from './require-turn.js';
import { isSameLaunch } from './same-launch.js';

/** Memory of the machine where a model is held in it: what is needed, and what there was. */
export interface RamReading {
  required_bytes: number;
  available_bytes: number;
}

/** What a preload goes on with. */
export interface PreflightResult {
  /** The launch, defaults filled in, with the port that is free. */
  prepared: PreparedEngine;
  /** The same engine serves already: there is nothing to do (B-API-026). */
  serving: PreloadResult | null;
  /** Null where the engine does not hold its model in the machine's memory. */
  ram?: RamReading | null;
}

/** Builds the activity `preflight`. */
export function preflightActivity(deps: NodeActivityDeps, room: EngineRoom) {
  /**
   * Checks the launch and the node; changes nothing but the memory of which port is promised.
   * @throws ApplicationFailure of the verdict's type; `INVALID_PARAMS` naming each wrong field; `POOL_CONFLICT` when
   *   another engine of this replica runs, or another pool has its devices; `POOL_UNAVAILABLE` when too many pools load
   */
  return async function preflight(input: PreparedEngine): Promise<PreflightResult> {
    const wanted = parseLaunch(input);
    const running = await findRunning(deps, wanted);
    if (running !== undefined) return running;
    requireTurn(deps, wanted.pool_id);
    requireFreeDevices(deps.pools, wanted);
    requireSameSet(deps.pools, wanted);
    const movable = moveToPort(wanted, wanted.port + 1) !== undefined;
    const range = deps.enginePorts;
    const wish = { ...wanted, port_fixed: wanted.port_fixed || !movable, range };
    const free = await room.promisePort(wanted, (promised) => findPort(wish, promised));
    const port = { wanted: wanted.port, fixed: wanted.port_fixed, movable, free, range };
    const facts = await gatherFacts(deps, wanted, port);
    const verdict = judgePreflight(facts);
    if (!verdict.ok) {
      room.releasePort(wanted);
      const { type, message, cause, retryable } = verdict;
      tellRefusal(deps, wanted, verdict);
      const details = { ...keyOf(wanted), ...(cause === undefined ? {} : { cause }) };
      throw poolFailure(type, message, details, retryable === undefined ? {} : { retryable });
    }
    const prepared = moveToPort(wanted, free ?? wanted.port) ?? wanted;
    return { prepared: planned(deps, prepared, facts), serving: null, ram: ramOf(facts) };
  };
}

function ramOf(facts: PreflightFacts): RamReading | null {
  const required_bytes = ramNeedBytes(facts);
  return required_bytes === null ? null : { required_bytes, available_bytes: facts.ramFreeBytes };
}

/** Says what was asked for and what there is (B-NARR-011). */
function tellRefusal(
  { log }: NodeActivityDeps,
  wanted: PreparedEngine,
  { type, message, cause: { cause_code, ...figures } = { cause_code: type } }: PreflightRefusal,
): void {
  const { required_mb: needs, available_mb: has, reasons } = figures as Record<string, unknown>;
  const human = Array.isArray(reasons)
    ? `Refuses the engine for ${reasons.length} reasons, of which the first is ${cause_code}`
    : typeof needs === 'number' && typeof has === 'number'
      ? `Refuses the engine: it needs ${needs} MB, and ${has} MB are there`
      : `Refuses the engine: ${cause_code}`;
  const story = narration('preflight', wanted.pool_id, human);
  const line = { event: 'preflight_refused', ...story, error_kind: cause_code, ...figures };
  log.warn({ ...line, ...engineFields(wanted), last_error: message }, 'preflight refused');
}

/** The launch with all that preflight chooses for it; the verdict has passed it. */
function planned(deps: NodeActivityDeps, prepared: PreparedEngine, facts: PreflightFacts): PreparedEngine {
  return withDevice(deps, withSplitPlan(deps, prepared, facts), facts);
}

/** With a GPU, where the launch names none (B-WPRE-012). */
function withDevice(
  { log }: NodeActivityDeps,
  prepared: PreparedEngine,
  facts: PreflightFacts,
): PreparedEngine {
  const chosen = chosenGpu(facts);
  if (chosen === undefined) return prepared;
  const { index: device_chosen, name, vram_free_bytes } = chosen;
  const human = `Chooses GPU ${device_chosen}, which has the most memory free`;
  const story = narration('preflight', prepared.pool_id, human);
  const launch = withChosenDevice(prepared, device_chosen);
  const line = { event: 'device_chosen', ...story, ...engineFields(launch), device_chosen };
  log.info({ ...line, device_name: name, vram_free_bytes }, 'a device was chosen');
  return launch;
}

/** With the plan of its split, where it asked for one. */
function withSplitPlan(
  { log }: NodeActivityDeps,
  prepared: PreparedEngine,
  facts: PreflightFacts,
): PreparedEngine {
  const split = splitOf(facts);
  if (!split.ok || split.plan === null) return prepared;
  const { plan } = split;
  const { device_mask, tensor_split, engine, engine_version } = prepared;
  const line = {
    event: 'split_planned',
    ...keyOf(prepared),
    engine,
    engine_version,
    device_mask,
    tensor_split,
    plan,
  };
  if (plan.capped) log.warn(line, 'the smallest GPU caps its part of the model');
  else log.info(line, 'the model is spread over the GPUs of its mask');
  return withSplit(prepared, plan);
}

function parseLaunch(input: PreparedEngine): PreparedEngine {
  const parsed = preparedEngine.safeParse(input);
  if (parsed.success)
    return withChosenDevice(withSplit(withKnownFlags(startedHere(parsed.data)), null), undefined);
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw poolFailure('INVALID_PARAMS', problems.join('; '), { pool_id: input.pool_id });
}

/** An engine of others is announced by its handoff; here it would be started a second time (B-PROV-002). */
function startedHere(launch: PreparedEngine): PreparedEngine {
  if (launch.provisioning_mode !== 'external') return launch;
  const message = 'provisioning_mode: an external engine is not started here; its handoff file announces it';
  throw poolFailure('INVALID_PARAMS', message, keyOf(launch));
}

/** The replica's engine that runs already, when it is the wanted one: its port stays. */
async function findRunning(
  deps: NodeActivityDeps,
  wanted: PreparedEngine,
): Promise<PreflightResult | undefined> {
  const files = replicaFiles(deps.paths, wanted);
  const record = await readSpawnRecord(files.spawnRecord);
  if (record === undefined || !(await isSameProcess(record))) return undefined;
  const { pid, prepared } = record;
  if (!isSameLaunch(wanted, prepared)) {
    const message = `another engine of pool ${wanted.pool_id} runs already (pid ${pid}); drain or reload the pool`;
    throw poolFailure('POOL_CONFLICT', message, { ...keyOf(wanted), pid });
  }
  const { pool_id, replica_id } = wanted;
  const serves =
    deps.pools.status(pool_id)?.ready === true && deps.pools.running(pool_id, replica_id)?.pid === pid;
  return { prepared, serving: serves ? { pool_id, pid, handoff_path: files.handoff } : null };
}

async function gatherFacts(
  { env, backends, ramFactor, gpuMaxCelsius, machine, pools }: NodeActivityDeps,
  wanted: PreparedEngine,
  port: PreflightFacts['port'],
): Promise<PreflightFacts> {
  const tools = wanted.backend === 'cuda' ? await findGpuTools(env()) : new Map<string, string>();
  const gpu = await queryDevices(tools, env());
  const devices = gpu !== undefined && 'devices' in gpu ? gpu.devices : [];
  return {
    pool_id: wanted.pool_id,
    backend: wanted.backend,
    flags: wanted.flags,
    host: wanted.host,
    device_mask: wanted.device_mask,
    engine: wanted.engine,
    tensor_split: wanted.tensor_split,
    env: wanted.env,
    binary: await inspectBinary(wanted.binary_path),
    model: await inspectModel(wanted),
    context_tokens: wanted.ctx_max * wanted.slots_total,
    gpuTools: [...tools.keys()],
    gpu,
    takenDevices: takenDevices(wanted.pool_id, pools.claims(), devices),
    ...{ backends, ramFactor, gpuMaxCelsius },
    ramFreeBytes: machine.freeMemoryBytes(),
    port,
  };
}

function keyOf({ pool_id, replica_id }: PreparedEngine): { pool_id: string; replica_id: string } {
  return { pool_id, replica_id };
}
