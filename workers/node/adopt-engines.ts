/**
 * Engines that a dead worker left running: those whose spawn record proves that they are ours and that answer health go
 * on serving with the same pid; the others are ended by their group, their files removed (design §3). One without a
 * handoff is in the middle of its preload or reload: that workflow goes on with it, or undoes it.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeActivityDeps, RunningEngine } from '../../activities/deps.js';
import { isMarkedDraining } from '../../activities/pool/drain-mark.js';
import { engineFields } from '../../activities/pool/pool-fields.js';
import { endLeftEngine, findLeftEngines, setUnreadableRecordsAside } from '../../activities/process/adopt.js';
import { handoffFileName, isAside } from '../../domain/identity.js';
import type { Logger } from '../../telemetry/logger.js';
import { crashId, reportLeft, tellCrash } from './crash-report.js';
import { answersHealth } from './engine-health.js';
import type { PoolRegistry } from './pool-registry.js';

/** Takes over what can be proved, ends the rest. */
export async function adoptEngines(
  deps: Pick<
    NodeActivityDeps,
    'adapterOf' | 'paths' | 'stopGraceMs' | 'metrics' | 'now' | 'audit' | 'nodeId' | 'workers'
  >,
  pools: PoolRegistry,
  log: Logger,
): Promise<void> {
  await mkdir(deps.paths.runtimeDir, { recursive: true, mode: 0o700 });
  await setUnreadableRecordsAside(deps.paths.runtimeDir, log);
  for (const left of await findLeftEngines(deps.paths.runtimeDir)) {
    const { prepared, pid, started_ticks } = left.record;
    const { pool_id, replica_id } = prepared;
    const url = `http://${prepared.host}:${prepared.port}`;
    const handedOver = existsSync(join(deps.paths.handoffDir, handoffFileName(pool_id, replica_id)));
    // The worker before this one had told of its end, and died while it ended it.
    const isFallen = pools.crash(pool_id)?.crash_id === crashId(left.record);
    if (left.alive && !handedOver && !isFallen) {
      if (!isAside(replica_id)) pools.starting(prepared);
      deps.workers.enrol(prepared, left.record.token);
      const fields = { event: 'engine_left', ...engineFields(prepared), pid };
      log.info(fields, 'engine of an operation that is under way');
      continue;
    }
    const engine: RunningEngine = { prepared, url, pid, startTicks: started_ticks };
    const serves = left.alive && !isFallen && (await isHealthy(deps, engine));
    const event = serves ? 'engine_adopted' : 'engine_ended';
    log.info({ event, ...engineFields(prepared), pid }, 'engine of an earlier worker');
    const drains = isMarkedDraining(deps.paths, pool_id);
    if (serves) {
      pools.adopted(engine, drains);
      continue;
    }
    if (handedOver && !drains && !isFallen) {
      // It served while nobody watched, and does not any more: its supervisor starts it again. Told before its files go, by
      // which the worker after this one would know of it.
      const report = await reportLeft(deps, left.record, left.alive);
      tellCrash({ ...deps, log }, report);
      pools.crashed(report);
    }
    await endLeftEngine(left, deps, 'left by an earlier worker');
  }
}

async function isHealthy(
  { adapterOf }: Pick<NodeActivityDeps, 'adapterOf'>,
  { prepared, url }: RunningEngine,
): Promise<boolean> {
  const adapter = adapterOf(prepared.engine, url);
  try {
    return await answersHealth(adapter);
  } finally {
    await adapter.close();
  }
}
