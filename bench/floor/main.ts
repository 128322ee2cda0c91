/**
 * The floor of the throughput bench: the same Temporal server, and in one process what the API has of Temporal, by the
 * product's own code: its client, its worker, its workflow, its sealed payloads, its memo and its search attributes.
 * Only the local activity does nothing: no node, no run log, no HTTP. What is left is an eager start and one local
 * activity, the least that a task can cost.
 */
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { createTaskRecords } from '../../api/clients/temporal.js';
import { readSettings } from '../../contracts/settings.js';
import { runOffer, type InferTaskInput, type RunOffer, type RunView } from '../../contracts/node.js';
import { taskWorkflowId } from '../../domain/identity.js';
import { createLogger } from '../../telemetry/logger.js';
import { createTasksWorker } from '../../workers/tasks.js';
import {
  connectTemporal,
  installTemporalRuntime,
  requirePayloadKeys,
  temporalDataConverter,
} from '../../workers/temporal.js';
import { nowMs } from '../engine/words.js';
import { BENCH_MODEL, taskBody } from '../load/subjects.js';
import { clients } from '../load/clients.js';
import type { FloorAnswer, FloorOrder } from './messages.js';

const NODE = 'node-1';
/** Nothing here may be given up: a busy server is what is measured. */
const START_TIMEOUT_MS = 30_000;
const TOKENS = 16;
const ADMISSION = { queue_position: 0, predicted_start_ms: 0, backoff_ms: 0, preparation: { steps: [] } };

const settings = readSettings(process.env);
const dataConverter = temporalDataConverter(requirePayloadKeys(settings));
const ran = new Map<string, () => void>();

/** The view that a node answers when the run has ended. */
function endedView({ task_id, pool_id, digest, correlation_id, request }: RunOffer): RunView {
  const now = Date.now();
  return {
    ...{
      task_id,
      pool_id,
      digest,
      correlation_id,
      node_id: NODE,
      replica_id: 'r0',
      epoch: 1,
      confirmed: true,
    },
    ...{ state: 'completed', ended: true, engine: request.engine, engine_version: 'bench' },
    ...{
      model_ref: request.model_ref,
      priority: request.priority,
      queue_position: null,
      admission: ADMISSION,
    },
    ...{ admitted_at_ms: now, started_at_ms: now, first_token_at_ms: now, ended_at_ms: now },
    ...{
      tokens_in: 256,
      tokens_out: TOKENS,
      stop_reason: 'MAX_TOKENS',
      error: null,
      next_offset: TOKENS + 3,
    },
    dialect: null,
  };
}

/** The local activity: tells that it ran, and that is all. */
function attach(_nodeId: string, offer: InferTaskInput): Promise<RunView> {
  ran.get(offer.task_id)?.();
  return Promise.resolve(endedView(offer));
}

/** What the API offers a node, and gives the workflow. */
function offerOf(task: number): RunOffer {
  const { prompt, ...request } = taskBody(task, { tokens: TOKENS, pauseMs: 0 });
  return runOffer.parse({
    task_id: request.task_id,
    pool_id: BENCH_MODEL,
    epoch: 1,
    digest: 'd'.repeat(64),
    correlation_id: `floor-${task}`,
    request,
    input: { kind: 'text', text: prompt },
  });
}

/** Starts `count` clients that each start a task, wait until its activity ran, and go on. */
async function run(
  records: ReturnType<typeof createTaskRecords>,
  { clients: count, firstTask, tasks }: Extract<FloorOrder, { kind: 'run' }>,
): Promise<FloorAnswer> {
  let eager = 0;
  const beganMs = nowMs();
  const wholeMs = await clients(count, tasks, async (index) => {
    const offer = offerOf(firstTask + index);
    const startedMs = nowMs();
    const done = new Promise<void>((resolve) => ran.set(offer.task_id, resolve));
    const started = await records.start({
      nodeId: NODE,
      offer,
      admission: ADMISSION,
      admittedAtMs: Date.now(),
    });
    if (started.kind !== 'started') throw new Error(`task ${offer.task_id} is ${started.kind}`);
    if (started.eager) eager += 1;
    await done;
    ran.delete(offer.task_id);
    return nowMs() - startedMs;
  });
  return { kind: 'ran', seconds: (nowMs() - beganMs) / 1000, eager, wholeMs };
}

/** Waits until these tasks' workflows have completed. */
async function drain(
  connection: NativeConnection,
  { namespace, taskIds }: Extract<FloorOrder, { kind: 'drain' }>,
): Promise<FloorAnswer> {
  const { workflow } = new Client({ connection, namespace, dataConverter });
  await Promise.all(taskIds.map((id) => workflow.getHandle(taskWorkflowId(id)).result()));
  return { kind: 'drained' };
}

const tell = (answer: FloorAnswer): void => void process.send?.(answer);

const log = createLogger('floor', 'warn');
installTemporalRuntime(log);
const connection = await connectTemporal(settings);
const shared = { connection, namespace: settings.TEMPORAL_NAMESPACE, dataConverter };
const worker = await createTasksWorker({
  ...shared,
  runs: {
    attach,
    cancel: () => Promise.reject(new Error('the floor cancels nothing')),
    transcript: () => Promise.resolve(undefined),
  },
  keepTranscript: () => Promise.reject(new Error('the floor keeps nothing')),
  taskMoves: {
    findPlace: () => Promise.resolve(null),
    moveTask: () => Promise.reject(new Error('the floor moves nothing')),
  },
  catalog: {
    removeModel: () => Promise.reject(new Error('the floor has no models')),
    recordModel: () => Promise.resolve(),
    stageModel: () => Promise.reject(new Error('the floor has no models')),
  },
});
const records = createTaskRecords({ ...shared, startTimeoutMs: START_TIMEOUT_MS });
const working = worker.run();
process.on('message', (order: FloorOrder) => {
  const answered = order.kind === 'run' ? run(records, order) : drain(connection, order);
  answered.then(tell, (err: unknown) => tell({ kind: 'failed', why: String(err) }));
});
process.once('disconnect', () => {
  records.close();
  worker.shutdown();
  void working.then(() => connection.close()).then(() => process.exit(0));
});
tell({ kind: 'ready' });
