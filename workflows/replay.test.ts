import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { pino } from 'pino';
import { Worker, type ReplayWorkerOptions } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { SEALED_ENCODING } from '../security/payload-codec.js';
import { historyCodec, historyDataConverter } from '../testing/histories/history-key.js';
import { bundleWorkflows } from '../testing/workflow-bundle.js';
import { installTemporalRuntime } from '../workers/temporal.js';

const FOLDER = new URL('./histories/', import.meta.url);

/** A recorded history, as far as a test changes it. */
interface RecordedHistory {
  events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
}

/** What was logged. */
const lines: string[] = [];

let options: ReplayWorkerOptions;
before(async () => {
  installTemporalRuntime(pino({ level: 'info' }, { write: (line) => void lines.push(line) }));
  const workflowBundle = await bundleWorkflows();
  options = { workflowBundle, dataConverter: historyDataConverter };
});

async function history(name: string): Promise<RecordedHistory> {
  return JSON.parse(await readFile(new URL(name, FOLDER), 'utf8')) as RecordedHistory;
}

const recorded = (await readdir(FOLDER)).filter((name) => name.endsWith('.json')).sort();

describe('replay of recorded histories', () => {
  test('there are histories of preloads, drains, reloads, downloads, supervisors, nodes and tasks that succeeded, failed and were cancelled', () => {
    for (const kind of [
      'preload-ready',
      'preload-unhealthy',
      'preload-cancelled',
      ...['drain-graceful', 'drain-forced', 'drain-cancelled', 'reload-beside', 'reload-rolled-back'],
      ...['supervise-restarted', 'supervise-held', 'supervise-tested', 'preload-supervised'],
      'drain-supervised',
      ...['purge-whole', 'purge-called-off', 'supervise-forgotten'],
      ...['node-added', 'node-unreached', 'node-checked', 'node-offline'],
      ...['provision-fetched', 'provision-failed', 'provision-paused', 'provision-cancelled'],
      'task-followed',
      'task-failed',
      'task-cancelled',
    ]) {
      assert.ok(recorded.includes(`${kind}.json`), kind);
    }
  });

  for (const name of recorded) {
    test(`B-PDUR-006: ${name} runs on the workflows of today`, async () => {
      await Worker.runReplayHistory(options, await history(name));
    });
  }

  test('B-OBS-040, B-NARR-015: a replay repeats no line of the log', async () => {
    lines.length = 0;
    await Worker.runReplayHistory(options, await history('task-followed.json'));
    assert.deepEqual(
      lines.filter((line) => /following a task|task settled/.test(line)),
      [],
    );
  });

  test('a history that took another step is refused, so a replay that passes proves something', async () => {
    const changed = await history('preload-ready.json');
    const spawn = changed.events
      .map((event) => event.activityTaskScheduledEventAttributes?.activityType)
      .find((type) => type?.name === 'spawnEngine');
    assert.ok(spawn);
    spawn.name = 'probeEngine';
    await assert.rejects(Worker.runReplayHistory(options, changed), DeterminismViolationError);
  });

  test('recorded payloads are sealed, and opened they name no folder and no host of whoever recorded them', async () => {
    for (const name of recorded) {
      const payloads = payloadsOf(await history(name));
      assert.ok(payloads.length > 0, name);
      for (const payload of payloads) {
        assert.equal(
          Buffer.from(payload.metadata['encoding'] ?? '', 'base64').toString(),
          SEALED_ENCODING,
          name,
        );
        assert.equal((await opened(payload)).includes(process.cwd()), false, name);
      }
    }
  });
});

interface JsonPayload {
  metadata: Record<string, string>;
  data: string;
}

/**
 * Search attributes are never sealed, nor is the header of an activity, which repeats one of them; what a cancelled activity says is the server's own word; `data` is what the SDK
 * notes of a local activity beside its result: its type, its attempts and its times; `patch-data` is the name of a patch.
 */
const NOT_OURS = ['searchAttributes', 'header', 'activityTaskCanceledEventAttributes', 'data', 'patch-data'];

/** Every payload that we wrote into a history. */
function payloadsOf(value: unknown): JsonPayload[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('metadata' in value && 'data' in value) return [value as JsonPayload];
  return Object.entries(value).flatMap(([key, inner]) => (NOT_OURS.includes(key) ? [] : payloadsOf(inner)));
}

async function opened({ metadata, data }: JsonPayload): Promise<string> {
  const bytes = Object.entries(metadata).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const);
  const [payload] = await historyCodec.decode([
    { metadata: Object.fromEntries(bytes), data: Buffer.from(data, 'base64') },
  ]);
  return Buffer.from(payload?.data ?? []).toString('utf8');
}
