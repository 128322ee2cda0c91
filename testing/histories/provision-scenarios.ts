/** Downloads to record: what their node does, and what else happens to them. */
import {
  CONTROL_QUEUE,
  downloadWorkflowId,
  nodeModelsQueue,
  nodeQueue,
  TASKS_QUEUE,
} from '../../domain/identity.js';
import { pauseDownloadSignal, provisionQuery, resumeDownloadSignal } from '../../workflows/messages.js';
import type { provisionModel } from '../../workflows/provision-model.js';
import { eventually } from '../changes.js';
import { brokenOff, PRESENT, provisionInput, provisionTwin, untilCancelled } from '../provision-twin.js';
import { historyOf, NODE, type Scenario } from './stage.js';

type Twin = ReturnType<typeof provisionTwin>;

/** By the name of their history. */
export const provisionScenarios: Readonly<Record<string, Scenario>> = {
  'provision-fetched': provision(() => brokenTwin(2)),
  'provision-present': provision(() =>
    provisionTwin({ planModel: () => Promise.resolve({ present: PRESENT, files: [], is_folder: false }) }),
  ),
  'provision-failed': provision(() => brokenTwin(6)),
  'provision-paused': provision(heldTwin, 'pause'),
  'provision-cancelled': provision(heldTwin, 'cancel'),
};

/** A server that breaks off so many times. */
function brokenTwin(times: number): Twin {
  let tried = 0;
  const whole = { path: 'm.gguf', size_bytes: 100, sha256: 'a'.repeat(64) };
  return provisionTwin({
    fetchModelFile: () => (++tried > times ? Promise.resolve(whole) : Promise.reject(brokenOff(40))),
  });
}

/** A file whose first attempt lasts until it is ended. */
function heldTwin(): Twin {
  let tried = 0;
  const whole = { path: 'm.gguf', size_bytes: 100, sha256: 'a'.repeat(64) };
  return provisionTwin({ fetchModelFile: () => (++tried > 1 ? Promise.resolve(whole) : untilCancelled()) });
}

function provision(makeTwin: () => Twin, deed?: 'pause' | 'cancel'): Scenario {
  return async (stage) => {
    const twin = makeTwin();
    const workers = await Promise.all([
      stage.workflowsAnd(CONTROL_QUEUE),
      stage.activities(nodeQueue(NODE), twin.activities),
      stage.activities(nodeModelsQueue(NODE), twin.activities),
      stage.activities(TASKS_QUEUE, twin.activities),
    ]);
    const play = async () => {
      const handle = await stage.workflows.start<typeof provisionModel>('provisionModel', {
        taskQueue: CONTROL_QUEUE,
        workflowId: downloadWorkflowId(NODE, 'm'),
        args: [provisionInput(NODE, 'm')],
      });
      if (deed !== undefined) {
        await eventually(
          () => 'the first attempt',
          () => (twin.calls.includes('fetchModelFile m.gguf') ? true : undefined),
        );
      }
      if (deed === 'cancel') await handle.cancel();
      if (deed === 'pause') {
        await handle.signal(pauseDownloadSignal);
        await eventually(
          () => 'the pause',
          async () => ((await handle.query(provisionQuery)).state === 'paused' ? true : undefined),
        );
        await handle.signal(resumeDownloadSignal);
      }
      return historyOf(handle);
    };
    return workers.reduce((inner, worker) => () => worker.runUntil(inner), play)();
  };
}
