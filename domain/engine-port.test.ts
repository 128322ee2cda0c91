import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moveToPort, portCandidates } from './engine-port.js';

describe('the port', () => {
  test('B-PREFLIGHT-023: candidates go upward from the wanted one, 200 at most and never beyond the last port', () => {
    const candidates = portCandidates(8001, false);
    assert.equal(candidates.length, 200);
    assert.deepEqual(candidates.slice(0, 3), [8001, 8002, 8003]);
    assert.deepEqual(portCandidates(65_534, false), [65_534, 65_535]);
    assert.deepEqual(portCandidates(8001, true), [8001]);
  });

  test('another port is told to the engine by the flag that named the first, and by no other', () => {
    const launch = {
      port: 80,
      flags: ['--ctx-size', '80', '--port', '80', '--http-port=80', '--threads=80'],
    };
    assert.deepEqual(moveToPort(launch, 81), {
      port: 81,
      flags: ['--ctx-size', '80', '--port', '81', '--http-port=81', '--threads=80'],
    });
    assert.equal(moveToPort(launch, 80), launch);
  });

  test('an engine whose flags name no port cannot be moved', () => {
    assert.equal(moveToPort({ port: 80, flags: ['--model', '80'] }, 81), undefined);
  });
});
