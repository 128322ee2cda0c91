/**
 * Records one history a scenario into `workflows/histories/`, from a real Temporal dev server, under the committed test
 * key. Run it before a workflow is changed and commit what it writes; recorded histories are never recorded anew for a
 * change, because they are what running workflows look like: give a new scenario a new name.
 *
 *     node --import tsx testing/record-histories.ts [scenario …]     (DROVER_TEST_TEMPORAL names the program)
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { CONTROL_QUEUE, nodeQueue, poolWorkflowId } from '../domain/identity.js';
import { createLogger } from '../telemetry/logger.js';
import { installTemporalRuntime } from '../workers/temporal.js';
import type { preloadPool } from '../workflows/preload-pool.js';
import { eventually } from './changes.js';
import { historyCodec as codec, historyDataConverter } from './history-key.js';
import { failing, preloadInput, preloadTwin, stillLoading } from './preload-twin.js';
import { registerSearchAttributes } from './temporal-env.js';

type History = temporal.api.history.v1.IHistory;
type Failure = temporal.api.failure.v1.IFailure;

/** A preload to record: what its node does, and what else happens to it. */
interface Scenario {
  twin: () => ReturnType<typeof preloadTwin>;
  healthTimeoutMs?: number;
  /** Cancelled once it polls. */
  cancelled?: boolean;
}

const FOLDER = fileURLToPath(new URL('../workflows/histories/', import.meta.url));
const NODE = 'node-1';
/** Instead of process and host of whoever records. */
const IDENTITY = 'recorder';

function slowly(polls: number) {
  let polled = 0;
  return preloadTwin({
    awaitEngineReady: () => (++polled > polls ? Promise.resolve() : Promise.reject(stillLoading(polled))),
  });
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'preload-ready': { twin: () => slowly(2) },
  'preload-unhealthy': { twin: () => slowly(Infinity), healthTimeoutMs: 1_500 },
  'preload-engine-exited': {
    twin: () =>
      preloadTwin({ awaitEngineReady: failing('EngineExited', 'the engine ended with exit code 1') }),
  },
  'preload-handoff-unwritable': {
    twin: () =>
      preloadTwin({ writeHandoff: failing('HandoffWriteFailed', 'ENOSPC: no space left on device') }),
  },
  'preload-without-gpu': {
    twin: () =>
      preloadTwin({ preflight: failing('GpuRequired', 'GPU-only enforcement: nvcc/nvidia-smi not found') }),
  },
  'preload-cancelled': { twin: () => slowly(Infinity), cancelled: true },
};

async function record(env: TestWorkflowEnvironment, control: Worker, scenario: Scenario): Promise<string> {
  const twin = scenario.twin();
  const node = await Worker.create({
    connection: env.nativeConnection,
    identity: IDENTITY,
    dataConverter: historyDataConverter,
    taskQueue: nodeQueue(NODE),
    activities: twin.activities,
  });
  return node.runUntil(async () => {
    const handle = await env.client.workflow.start<typeof preloadPool>('preloadPool', {
      taskQueue: CONTROL_QUEUE,
      workflowId: poolWorkflowId('gpu-0', 'preload'),
      args: [preloadInput(NODE, { health_timeout_ms: scenario.healthTimeoutMs ?? 120_000 })],
    });
    if (scenario.cancelled === true) {
      await eventually(
        () => 'the first poll',
        () => (twin.calls.includes('awaitEngineReady') ? true : undefined),
      );
      await handle.cancel();
    }
    await handle.result().catch(() => undefined); // Most scenarios are failures.
    return historyToJSON(await withoutStacks(await handle.fetchHistory()));
  });
}

/** A history whose failures do not tell in which folders it was recorded. */
async function withoutStacks(history: History): Promise<History> {
  for (const event of history.events ?? []) {
    const { failure } =
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.workflowExecutionFailedEventAttributes ??
      {};
    const last = event.activityTaskStartedEventAttributes?.lastFailure; // Of the try before.
    for (let at = failure ?? last; at != null; at = at.cause) await removeStack(at);
  }
  return history;
}

async function removeStack(failure: Failure): Promise<void> {
  if (failure.encodedAttributes == null) return;
  const [opened] = await codec.decode([failure.encodedAttributes]);
  if (opened === undefined) return;
  const { message } = defaultPayloadConverter.fromPayload<{ message: string }>(opened);
  const [sealed] = await codec.encode([defaultPayloadConverter.toPayload({ message, stack_trace: '' })]);
  failure.encodedAttributes = sealed;
}

async function main(names: string[]): Promise<void> {
  const path = process.env['DROVER_TEST_TEMPORAL'];
  if (path === undefined) throw new Error('DROVER_TEST_TEMPORAL must name the temporal program');
  installTemporalRuntime(createLogger('record', 'warn'));
  const env = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path } },
    client: { dataConverter: historyDataConverter, identity: IDENTITY },
  });
  await registerSearchAttributes(env);
  const control = await Worker.create({
    connection: env.nativeConnection,
    identity: IDENTITY,
    dataConverter: historyDataConverter,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
      failureConverterPath: fileURLToPath(
        new URL('../workflows/parts/failure-converter.ts', import.meta.url),
      ),
      logger: new DefaultLogger('ERROR'),
    }),
  });
  await mkdir(FOLDER, { recursive: true });
  await control.runUntil(async () => {
    for (const name of names) {
      const scenario = SCENARIOS[name];
      if (scenario === undefined)
        throw new Error(`no scenario "${name}"; there are ${Object.keys(SCENARIOS).join(', ')}`);
      await writeFile(join(FOLDER, `${name}.json`), `${await record(env, control, scenario)}\n`);
      process.stdout.write(`recorded ${name}\n`);
    }
  });
  await env.teardown();
}

const asked = process.argv.slice(2);
/** Without names: those that were never recorded. */
await main(
  asked.length > 0
    ? asked
    : Object.keys(SCENARIOS).filter((name) => !existsSync(join(FOLDER, `${name}.json`))),
);
