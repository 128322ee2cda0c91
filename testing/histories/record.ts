/**
 * Records one history a scenario into `workflows/histories/`, from a real Temporal dev server, under the committed test
 * key. Run it before a workflow is changed and commit what it writes; recorded histories are never recorded anew for a
 * change, because they are what running workflows look like: give a new scenario a new name.
 *
 *     npm run histories:record [scenario …]     (without names: those that were never recorded)
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { historyCodec as codec } from './history-key.js';
import { poolScenarios } from './pool-scenarios.js';
import { preloadScenarios } from './preload-scenarios.js';
import { provisionScenarios } from './provision-scenarios.js';
import { purgeScenarios } from './purge-scenarios.js';
import { registryScenarios } from './registry-scenarios.js';
import { RecordingStage, type History, type Scenario } from './stage.js';
import { supervisionScenarios } from './supervision-scenarios.js';
import { taskScenarios } from './task-scenarios.js';

type Failure = temporal.api.failure.v1.IFailure;

const FOLDER = fileURLToPath(new URL('../../workflows/histories/', import.meta.url));
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  ...poolScenarios,
  ...preloadScenarios,
  ...provisionScenarios,
  ...purgeScenarios,
  ...registryScenarios,
  ...supervisionScenarios,
  ...taskScenarios,
};

/** A history whose failures do not tell in which folders it was recorded. */
async function withoutStacks(history: History): Promise<History> {
  for (const event of history.events ?? []) {
    const { failure } =
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.markerRecordedEventAttributes ??
      event.childWorkflowExecutionFailedEventAttributes ??
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
  const stage = await RecordingStage.open();
  await mkdir(FOLDER, { recursive: true });
  for (const name of names) {
    const scenario = SCENARIOS[name];
    if (scenario === undefined)
      throw new Error(`no scenario "${name}"; there are ${Object.keys(SCENARIOS).join(', ')}`);
    const history = historyToJSON(await withoutStacks(await scenario(stage)));
    await writeFile(join(FOLDER, `${name}.json`), `${history}\n`);
    process.stdout.write(`recorded ${name}\n`);
  }
  await stage.close();
}

const asked = process.argv.slice(2);
await main(
  asked.length > 0
    ? asked
    : Object.keys(SCENARIOS).filter((name) => !existsSync(join(FOLDER, `${name}.json`))),
);
