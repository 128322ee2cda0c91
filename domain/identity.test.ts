import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as identity from './identity.js';

test('B-DP-045: task ids are bounded and plain', () => {
  for (const id of ['t-1', 'a', '..', 'A.b_c:d-9', 'x'.repeat(128)])
    assert.equal(identity.isTaskId(id), true, id);
  for (const id of ['', 'x'.repeat(129), '../../etc/passwd', 'a b', 'ü', 'a\n', 'a/b', 'a\0']) {
    assert.equal(identity.isTaskId(id), false, JSON.stringify(id));
  }
});

test('B-POOL-010: pool ids are plain and never a folder', () => {
  for (const id of ['gpu-0', 'a.b_c']) assert.equal(identity.isPoolId(id), true, id);
  for (const id of ['', '.', '..', 'a/b', 'a:b', 'x'.repeat(129)])
    assert.equal(identity.isPoolId(id), false, id);
});

test('a run log is named so that any task id stays inside its folder, and is found again by its name', () => {
  for (const id of ['..', '.', 't-1', 'a:b']) {
    const name = identity.runLogFileName(id);
    assert.match(name, /^run-[^/]+\.log$/);
    assert.equal(identity.taskIdOfRunLog(name), id);
  }
  assert.equal(identity.taskIdOfRunLog('run-x.log.unreadable'), undefined);
  assert.equal(identity.taskIdOfRunLog('other.log'), undefined);
});

test('B-PRELOAD-046, C-188: replica r0 keeps the inherited file names, others carry theirs, a handoff always does', () => {
  assert.equal(identity.pidFileName('gpu-0', 'r0'), 'gpu-0.pid');
  assert.equal(identity.pidFileName('gpu-0', 'r1'), 'gpu-0-r1.pid');
  assert.equal(identity.engineLogFileName('gpu-0', 'r0'), 'engine-gpu-0.log');
  assert.equal(identity.handoffFileName('gpu-0', 'r0'), 'gpu-0-r0.json');
});

test('B-DUR-001: workflow ids and queues come from ids alone', () => {
  assert.equal(identity.taskWorkflowId('t-1'), 'task:t-1');
  assert.equal(identity.poolWorkflowId('gpu-0', 'preload'), 'pool:gpu-0:preload');
  assert.equal(identity.nodeQueue('n'), 'node:n');
  assert.equal(identity.nodeRunsQueue('n'), 'node:n:runs');
});
