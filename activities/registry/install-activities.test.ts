import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { InstallFailure } from '../../contracts/node-install.js';
import type { NodeRequest } from '../../contracts/registered-node.js';
import { nodeToAdd } from '../../testing/registry-twin.js';
import { createInstallActivities } from './install-activities.js';
import type { InstallSettings } from './registry-deps.js';
import type { RemoteOrder, RemoteOutcome } from './ssh-transport.js';

const SETTINGS: InstallSettings = {
  ...{ nodeToken: 'token-of-the-nodes', payloadKeys: 'k:key-of-payloads', apiUrl: 'http://api.lab' },
  ...{ temporalAddress: 'temporal.lab:7233', namespace: 'default', version: '1.2.3' },
  lastReport: () => Promise.resolve(undefined),
};
const ENDED = { exitCode: 0, timedOut: false, missing: false, stderr: '' };
const PLAN = { api_url: 'http://api.lab', temporal_address: 'temporal.lab:7233' };

/** The activities on a node that answers every script so; with what it was told. */
function installing(outcome: Partial<RemoteOutcome>, settings: Partial<InstallSettings> = {}) {
  const orders: RemoteOrder[] = [];
  const facts = { begun: 'yes', home: '/home/ops', ...outcome.facts };
  const answer = { keyReadable: true, lines: [], end: ENDED, ...outcome, facts };
  const activities = createInstallActivities({
    transport: {
      visit: () => Promise.reject(new Error('nobody is to be visited')),
      carryOut: (_target, order) => {
        orders.push(order);
        return Promise.resolve(answer);
      },
    },
    log: { info: () => undefined, warn: () => undefined },
    install: { ...SETTINGS, ...settings },
  });
  return { activities, orders };
}

const node: NodeRequest = nodeToAdd();
const env = () => new MockActivityEnvironment({ attempt: 1 });

async function failureOf(run: Promise<unknown>): Promise<[string, boolean, InstallFailure]> {
  const failure = await run.catch((err: unknown) => err);
  assert.ok(failure instanceof ApplicationFailure, String(failure));
  const [details] = failure.details as [InstallFailure];
  return [failure.type ?? '', failure.nonRetryable === true, details];
}

test('B-SSH-009: a step that fails names itself, the reason and the end of its output, without places and secrets', async () => {
  const lines = ['at /opt/drover of ops', 'with token-of-the-nodes', 'npm error'];
  const { activities } = installing({
    facts: { problem: 'packages' },
    lines,
    end: { ...ENDED, exitCode: 1 },
  });
  const [type, isFinal, details] = await failureOf(env().run(activities.buildProgram, { node }));
  assert.deepEqual([type, isFinal], ['NODE_INSTALL_FAILED', true]);
  assert.deepEqual(details, {
    ...{ node_name: 'gpu-1', step: 'build', reason: 'packages', attempts: 1, exit_code: 1 },
    output_tail: 'at <install_path> of <user>\nwith <token>\nnpm error',
  });
});

test('a connection that breaks off is tried again; a key that cannot be read is not', async () => {
  const cut = installing({ end: { ...ENDED, exitCode: 255 } });
  const [type, isFinal] = await failureOf(env().run(cut.activities.fetchSource, { node }));
  assert.deepEqual([type, isFinal], ['SSH_CONNECTION_FAILED', false]);
  const keyless = installing({ keyReadable: false, facts: { begun: 'no' } });
  const [, isFinalToo, { reason }] = await failureOf(env().run(keyless.activities.fetchSource, { node }));
  assert.deepEqual([isFinalToo, reason], [true, 'key_unreadable']);
});

test('B-NAPI-014: a program of another minor line is not started', async () => {
  const { activities } = installing({ facts: { version: '1.3.0' } });
  const [type, , { step }] = await failureOf(env().run(activities.verifyProgram, { node }));
  assert.deepEqual([type, step], ['VERSION_MISMATCH', 'verify']);
  const same = installing({ facts: { version: '1.2.9' } });
  assert.deepEqual(await env().run(same.activities.verifyProgram, { node }), { version: '1.2.9' });
});

test('the node is told its secrets and settings as lines; without secrets or an address nothing begins', async () => {
  const { activities, orders } = installing({});
  await env().run(activities.writeNodeSettings, { node, order: { port: 9_300 }, plan: PLAN });
  assert.deepEqual(orders[0]?.values, [
    ...['token-of-the-nodes', 'k:key-of-payloads', 'DROVER_NODE_ID="gpu-1"'],
    ...['DROVER_NODE_ADDR="0.0.0.0:9300"', 'DROVER_NODE_URL="http://gpu-1.lab:9300"'],
    ...['DROVER_API_URL="http://api.lab"', 'TEMPORAL_ADDRESS="temporal.lab:7233"'],
    ...['TEMPORAL_NAMESPACE="default"', ''],
  ]);
  const order = { port: 9_200 };
  assert.deepEqual(await env().run(activities.planInstall, { node, order }), PLAN);
  const poor = installing({}, { nodeToken: undefined });
  const [, , { reason }] = await failureOf(env().run(poor.activities.planInstall, { node, order }));
  assert.equal(reason, 'no_secrets');
  const lost = installing({}, { apiUrl: undefined });
  const [type, isFinal, { reason: field }] = await failureOf(
    env().run(lost.activities.planInstall, { node, order }),
  );
  assert.deepEqual([type, isFinal, field], ['INVALID_PARAMS', true, 'api_url']);
});

test('a node has come up when it is heard of anew, and online', async () => {
  const heard = [5, 5, 9];
  const lastReport = () => Promise.resolve({ heardMs: heard.shift() ?? 9, online: true });
  const { activities } = installing({ facts: { worker: 'kept' } }, { lastReport });
  const started = await env().run(activities.startNodeWorker, { node });
  assert.deepEqual(started, { worker: 'kept', heard_ms: 5 });
  await env().run(activities.awaitNodeReport, { node, heard_ms: 5 });
  assert.deepEqual(heard, []);
});
