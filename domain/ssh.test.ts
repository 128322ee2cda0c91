import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeVisit, type SshEnd, type SshVisit } from './ssh.js';

const ENDED: SshEnd = { exitCode: 0, timedOut: false, missing: false, stderr: '' };
const GOOD: SshVisit = {
  keyReadable: true,
  greeted: true,
  echoed: true,
  roundTripMs: 3,
  installed: true,
  end: ENDED,
};
const NOTHING: SshVisit = {
  keyReadable: true,
  greeted: false,
  echoed: false,
  roundTripMs: null,
  installed: null,
  end: ENDED,
};

const problemOf = (visit: SshVisit) => {
  const verdict = judgeVisit(visit);
  assert.ok(!verdict.ok);
  return verdict.problem;
};
const said = (stderr: string) => problemOf({ ...NOTHING, end: { ...ENDED, exitCode: 255, stderr } });

test('B-SSH-002, B-SSH-003, B-SSH-004: a node that answered is reached; above 100 ms it is slow, and it may lack the program', () => {
  assert.deepEqual(judgeVisit(GOOD), { ok: true, roundTripMs: 3, slow: false, installed: true });
  const slow = (roundTripMs: number) => {
    const verdict = judgeVisit({ ...GOOD, roundTripMs });
    return verdict.ok && verdict.slow;
  };
  assert.deepEqual([100, 100.5].map(slow), [false, true]);
  assert.deepEqual(judgeVisit({ ...GOOD, installed: false }), {
    ...{ ok: true, roundTripMs: 3, slow: false, installed: false },
  });
});

test('B-SSH-006, B-SSH-007, B-NODE-004: what ssh could not do is told by its own words, the more telling first', () => {
  const verification = 'Host key verification failed.';
  const changed = '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @';
  const denied = 'ops@gpu: Permission denied (publickey).';
  const cases: [string, string, string, boolean][] = [
    ['ssh: connect to host gpu port 22: Connection timed out', 'SSH_TIMEOUT', 'timeout', true],
    ['Connection timed out during banner exchange', 'SSH_TIMEOUT', 'timeout', true],
    [
      'ssh: connect to host gpu port 22: Connection refused',
      'SSH_CONNECTION_FAILED',
      'connection_refused',
      true,
    ],
    [
      'ssh: Could not resolve hostname gpu: Name or service not known',
      'SSH_CONNECTION_FAILED',
      'host_not_found',
      true,
    ],
    [verification, 'SSH_CONNECTION_FAILED', 'host_key_unknown', false],
    [`${changed}\n${verification}`, 'SSH_CONNECTION_FAILED', 'host_key_changed', false],
    [denied, 'SSH_CONNECTION_FAILED', 'key_refused', false],
    ['Connection reset by peer', 'SSH_CONNECTION_FAILED', 'connection_failed', true],
  ];
  for (const [stderr, code, reason, retryable] of cases) {
    const problem = said(stderr);
    assert.deepEqual([problem.code, problem.reason, problem.retryable], [code, reason, retryable], stderr);
    assert.doesNotMatch(problem.message, /gpu|\/k/);
  }
  assert.match(said(denied).message, /chmod 600/);
  const unreadable = problemOf({ ...GOOD, keyReadable: false });
  assert.deepEqual([unreadable.reason, unreadable.retryable], ['key_unreadable', false]);
  assert.match(unreadable.message, /chmod 600/);
  assert.match(said(verification).message, /ssh-keyscan.*fingerprint/);
});

test('B-SSH-005: a command that the node does not find, that fails, or that answers something else is its failure', () => {
  const ended = (exitCode: number) => problemOf({ ...NOTHING, end: { ...ENDED, exitCode } });
  const told = [127, 3, 0].map(ended).map(({ code, reason, retryable }) => [code, reason, retryable]);
  assert.deepEqual(told, [
    ['SSH_COMMAND_FAILED', 'command_not_found', false],
    ['SSH_COMMAND_FAILED', 'command_failed', false],
    ['SSH_COMMAND_FAILED', 'unexpected_output', false],
  ]);
  for (const missing of [{ greeted: false }, { echoed: false }, { installed: null }])
    assert.equal(problemOf({ ...GOOD, ...missing }).reason, 'unexpected_output');
});

test('an end by the clock or a signal, or no ssh at all, is told apart', () => {
  const reason = (end: Partial<SshEnd>) =>
    problemOf({ ...NOTHING, end: { ...ENDED, exitCode: null, ...end } }).reason;
  assert.deepEqual(
    [reason({ timedOut: true }), reason({ missing: true }), reason({})],
    [...['timeout', 'no_ssh', 'connection_failed']],
  );
});

test('what a node writes after it was spoken to does not pass for words of ssh', () => {
  const end = { ...ENDED, exitCode: 255, stderr: 'Permission denied' };
  assert.equal(problemOf({ ...GOOD, end }).reason, 'connection_failed');
});
