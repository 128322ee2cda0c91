import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { SshVisit } from '../../domain/ssh.js';
import { nodeToAdd } from '../../testing/registry-twin.js';
import type { SshTransport } from './ssh-transport.js';
import { visitNodeActivity } from './visit-node.js';

const ENDED = { exitCode: 0, timedOut: false, missing: false, stderr: '' };
const GOOD: SshVisit = {
  keyReadable: true,
  greeted: true,
  echoed: true,
  roundTripMs: 3,
  installed: true,
  end: ENDED,
};

function visiting(visit: SshTransport['visit'], attempt = 1) {
  const lines: object[] = [];
  const note = (level: string) => (fields: object) => void lines.push({ level, ...fields });
  const activity = visitNodeActivity({
    transport: { visit },
    log: { info: note('info'), warn: note('warn') },
  });
  const env = new MockActivityEnvironment({ attempt });
  return { lines, env, result: env.run(activity, { node: nodeToAdd() }) };
}
const events = (lines: object[]) => lines.map((line) => Object.entries(line).slice(0, 2).flat().join(' '));

test('B-SSH-001, B-NODE-019: a connection is logged, with what the node answered; who reaches it may be anybody', async () => {
  const { lines, result } = visiting(() => Promise.resolve(GOOD));
  assert.deepEqual(await result, { round_trip_ms: 3, slow: false, installed: true });
  assert.deepEqual(events(lines), ['level info event ssh_connected', 'level info event ssh_echo']);
});

test('B-SSH-003, B-SSH-004: a slow way and a missing installation are warnings, no failures', async () => {
  const { lines, result } = visiting(() => Promise.resolve({ ...GOOD, roundTripMs: 101, installed: false }));
  assert.deepEqual(await result, { round_trip_ms: 101, slow: true, installed: false });
  assert.deepEqual(events(lines).slice(2), [
    ...['level warn event ssh_slow', 'level warn event node_not_installed'],
  ]);
});

test('B-SSH-005, B-SSH-006: a failure says where, at which try and why; the exit code is the remote one', async () => {
  const silent = { ...GOOD, greeted: false, end: { ...ENDED, exitCode: null, timedOut: true } };
  const late = visiting(() => Promise.resolve(silent), 2);
  await assert.rejects(late.result, (err) => {
    assert.ok(err instanceof ApplicationFailure);
    const facts = { node_name: 'gpu-1', ssh_host: 'gpu-1.lab', reason: 'timeout', attempts: 2 };
    assert.deepEqual([err.type, err.nonRetryable, err.details], ['SSH_TIMEOUT', false, [facts]]);
    return true;
  });
  const absent = { ...GOOD, greeted: false, end: { ...ENDED, exitCode: 127 } };
  await assert.rejects(visiting(() => Promise.resolve(absent)).result, (err) => {
    assert.ok(err instanceof ApplicationFailure);
    const [facts] = err.details as { exit_code: number }[];
    assert.deepEqual([err.type, err.nonRetryable, facts?.exit_code], ['SSH_COMMAND_FAILED', true, 127]);
    return true;
  });
});

test('a visit that is called off is no failure of the node', async () => {
  const { env, result } = visiting((_target, signal) => {
    const ended = { ...GOOD, greeted: false, end: { ...ENDED, exitCode: null } };
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(ended)));
  });
  env.cancel('CANCELLED');
  await assert.rejects(result, CancelledFailure);
});
