import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Circuits } from './circuit.js';

describe('circuits to targets', () => {
  let now = 0;
  let circuits = new Circuits(() => now);
  beforeEach(() => {
    now = 1_000;
    circuits = new Circuits(() => now);
  });
  const fail = (times: number, target = 'a') => {
    for (let n = 0; n < times; n += 1) {
      assert.equal(circuits.begin(target), true);
      circuits.end(target, false);
    }
  };

  it('B-CB-001: four failures in a row let the fifth call through, and five let none', () => {
    fail(5);
    assert.equal(circuits.begin('a'), false);
    assert.equal(circuits.waitMs('a'), 60_000);
  });

  it('B-CB-001: a success between them starts the count again', () => {
    fail(4);
    circuits.begin('a');
    circuits.end('a', true);
    fail(4);
    assert.equal(circuits.begin('a'), true);
  });

  it('B-CB-002: 60 s later one call is let through, and no second one beside it', () => {
    fail(5);
    now += 59_999;
    assert.equal(circuits.begin('a'), false);
    now += 1;
    assert.deepEqual([circuits.begin('a'), circuits.begin('a')], [true, false]);
  });

  it('B-CB-003: a probe that succeeds closes it', () => {
    fail(5);
    now += 60_000;
    circuits.begin('a');
    circuits.end('a', true);
    fail(4);
    assert.equal(circuits.begin('a'), true);
  });

  it('B-CB-003: a probe that fails opens it for as long again', () => {
    fail(5);
    now += 60_000;
    fail(1);
    assert.deepEqual([circuits.begin('a'), circuits.waitMs('a')], [false, 60_000]);
    now += 60_000;
    assert.equal(circuits.begin('a'), true);
  });

  it('B-CB-004: each target has its own', () => {
    fail(5);
    assert.equal(circuits.begin('b'), true);
  });

  it('a probe that was interrupted leaves the place to another', () => {
    fail(5);
    now += 60_000;
    circuits.begin('a');
    circuits.forget('a');
    assert.equal(circuits.begin('a'), true);
  });
});
