import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moveToPort, portCandidates } from './engine-port.js';

const RANGE = { first: 8_001, last: 65_535 };

describe('the port', () => {
  test('B-PREFLIGHT-023: candidates go upward from the wanted one, 200 at most and never beyond the last port', () => {
    const candidates = portCandidates(8001, false, RANGE);
    assert.equal(candidates.length, 200);
    assert.deepEqual(candidates.slice(0, 3), [8001, 8002, 8003]);
    assert.deepEqual(portCandidates(65_534, false, RANGE), [65_534, 65_535]);
    assert.deepEqual(portCandidates(8001, true, RANGE), [8001]);
  });

  test('B-WRK-005: a port that is taken is followed by the next of the range, from its beginning where it lies elsewhere', () => {
    assert.deepEqual(portCandidates(8_002, false, { first: 8_001, last: 8_004 }), [8_002, 8_003, 8_004]);
    assert.deepEqual(portCandidates(9_300, false, { first: 8_001, last: 8_002 }), [9_300, 8_001, 8_002]);
    assert.deepEqual(portCandidates(7_000, false, { first: 8_001, last: 8_002 }), [7_000, 8_001, 8_002]);
    assert.deepEqual(portCandidates(8_000, false, RANGE).slice(0, 2), [8_000, 8_001]);
    assert.deepEqual(portCandidates(9_300, true, { first: 8_001, last: 8_002 }), [9_300]);
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
