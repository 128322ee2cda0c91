/** The door: what a node worker registers with Temporal. Workflows take its type, never its value. */
import type { NodeActivityDeps } from './deps.js';
import { awaitEngineReadyActivity } from './engine/await-engine-ready.js';
import { createEngineRoom, type EngineRoom } from './engine/engine-room.js';
import { preflightActivity } from './engine/preflight.js';
import { probeEngineActivity } from './engine/probe-engine.js';
import { spawnEngineActivity } from './engine/spawn-engine.js';
import { stopEngineActivity } from './engine/stop-engine.js';
import { followRunActivity } from './follow-run.js';
import { removeHandoffActivity } from './handoff/remove-handoff.js';
import { writeHandoffActivity } from './handoff/write-handoff.js';
import { dropModelPartsActivity } from './model/drop-model-parts.js';
import { fetchModelFileActivity } from './model/fetch-model-file.js';
import { planModelActivity } from './model/plan-model.js';
import { publishModelActivity } from './model/publish-model.js';
import { beginRestartActivity } from './pool/begin-restart.js';
import { markCircuitsActivity } from './pool/mark-circuits.js';
import { failWaitingActivity } from './pool/fail-waiting.js';
import { makeRoomActivity } from './pool/make-room.js';
import { markPoolAsleepActivity } from './pool/mark-pool-asleep.js';
import { putToSleepActivity } from './pool/put-to-sleep.js';
import { deleteEngineDirsActivity } from './pool/delete-engine-dirs.js';
import { deregisterPoolActivity } from './pool/deregister-pool.js';
import { planRestartActivity } from './pool/plan-restart.js';
import { watchEngineActivity } from './pool/watch-engine.js';
import { awaitLeasesActivity } from './pool/await-leases.js';
import { endReloadActivity } from './pool/end-reload.js';
import { markPoolReloadingActivity } from './pool/mark-pool-reloading.js';
import { planReloadActivity } from './pool/plan-reload.js';
import { switchEngineActivity } from './pool/switch-engine.js';
import { endLeasesActivity } from './pool/end-leases.js';
import { liftDrainActivity } from './pool/lift-drain.js';
import { markPoolDrainingActivity } from './pool/mark-pool-draining.js';
import { markPoolFailedActivity } from './pool/mark-pool-failed.js';
import { markPoolOfflineActivity } from './pool/mark-pool-offline.js';
import { markPoolProvisioningActivity } from './pool/mark-pool-provisioning.js';
import { markPoolReadyActivity } from './pool/mark-pool-ready.js';
import { markPoolStartingActivity } from './pool/mark-pool-starting.js';
import { planEngineActivity } from './provision/plan-engine.js';
import { recordEngineActivity } from './provision/record-engine.js';
import { takeEngineStepActivity } from './provision/take-engine-step.js';

/**
 * Builds the activities of one node; call it once a worker process, for they share what the worker started.
 * @param room - where the exits of what they start are remembered
 */
export function createNodeActivities(deps: NodeActivityDeps, room: EngineRoom = createEngineRoom()) {
  return {
    preflight: preflightActivity(deps, room),
    spawnEngine: spawnEngineActivity(deps, room),
    awaitEngineReady: awaitEngineReadyActivity(deps, room),
    probeEngine: probeEngineActivity(deps),
    stopEngine: stopEngineActivity(deps, room),
    writeHandoff: writeHandoffActivity(deps),
    removeHandoff: removeHandoffActivity(deps),
    markPoolProvisioning: markPoolProvisioningActivity(deps),
    planEngine: planEngineActivity(deps),
    takeEngineStep: takeEngineStepActivity(deps),
    recordEngine: recordEngineActivity(deps),
    markPoolStarting: markPoolStartingActivity(deps),
    markPoolReady: markPoolReadyActivity(deps),
    markPoolFailed: markPoolFailedActivity(deps),
    markPoolDraining: markPoolDrainingActivity(deps),
    awaitLeases: awaitLeasesActivity(deps),
    endLeases: endLeasesActivity(deps),
    planReload: planReloadActivity(deps),
    markPoolReloading: markPoolReloadingActivity(deps),
    switchEngine: switchEngineActivity(deps),
    endReload: endReloadActivity(deps),
    liftDrain: liftDrainActivity(deps),
    markPoolOffline: markPoolOfflineActivity(deps),
    deleteEngineDirs: deleteEngineDirsActivity(deps),
    deregisterPool: deregisterPoolActivity(deps),
    watchEngine: watchEngineActivity(deps),
    planRestart: planRestartActivity(deps),
    beginRestart: beginRestartActivity(deps),
    markCircuits: markCircuitsActivity(deps),
    markPoolAsleep: markPoolAsleepActivity(deps),
    putToSleep: putToSleepActivity(deps, room),
    makeRoom: makeRoomActivity(deps, room),
    failWaiting: failWaitingActivity(deps),
    followRun: followRunActivity(deps),
    planModel: planModelActivity(deps),
    fetchModelFile: fetchModelFileActivity(deps),
    publishModel: publishModelActivity(deps),
    dropModelParts: dropModelPartsActivity(deps),
  };
}

/** The activities of a node, as workflows see them. */
export type NodeActivities = ReturnType<typeof createNodeActivities>;
