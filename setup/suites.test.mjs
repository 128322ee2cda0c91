import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import countReporter from './count-reporter.mjs';
import { countScenarios } from './suites.mjs';

const scenario = (id, statuses, willBeRetried = false) => [
  { testCaseStarted: { id } },
  ...statuses.map((status) => ({ testStepFinished: { testCaseStartedId: id, testStepResult: { status } } })),
  { testCaseFinished: { testCaseStartedId: id, willBeRetried } },
];
const messages = (...envelopes) =>
  envelopes
    .flat()
    .map((envelope) => JSON.stringify(envelope))
    .join('\n');

describe('counting scenarios', () => {
  const rows = [
    { title: 'every step passed', statuses: ['PASSED', 'PASSED'], expected: { passed: 1, failed: 0 } },
    { title: 'a step failed', statuses: ['PASSED', 'FAILED'], expected: { passed: 0, failed: 1 } },
    { title: 'a step is undefined', statuses: ['UNDEFINED'], expected: { passed: 0, failed: 1 } },
    { title: 'a step is pending', statuses: ['PENDING'], expected: { passed: 0, failed: 1 } },
    { title: 'a step was skipped', statuses: ['PASSED', 'SKIPPED'], expected: { passed: 0, failed: 1 } },
    { title: 'there is no step', statuses: [], expected: { passed: 0, failed: 1 } },
  ];
  for (const { title, statuses, expected } of rows) {
    it(`counts ${expected.passed} passed and ${expected.failed} failed when ${title}`, () => {
      assert.deepEqual(countScenarios(messages(scenario('1', statuses))), expected);
    });
  }

  it('counts only the last attempt of a scenario that is tried again', () => {
    const text = messages(scenario('1', ['FAILED'], true), scenario('2', ['PASSED']));
    assert.deepEqual(countScenarios(text), { passed: 1, failed: 0 });
  });
});

describe('counting tests', () => {
  const total = (message) => ({ type: 'test:diagnostic', data: { nesting: 0, message } });
  const count = async (...events) => {
    const lines = [];
    for await (const line of countReporter(events)) lines.push(line);
    return JSON.parse(lines.join(''));
  };

  it('counts skipped, cancelled and todo tests as failed', async () => {
    const told = await count(
      ...['tests 6', 'pass 2', 'fail 1', 'cancelled 1', 'skipped 1', 'todo 1'].map(total),
    );
    assert.deepEqual(told, { passed: 2, failed: 4, empty: [] });
  });

  it('counts a file without a test as failed', async () => {
    const file = { type: 'test:pass', data: { nesting: 0, name: '/a.test.ts', file: '/a.test.ts' } };
    assert.deepEqual(await count(file, total('tests 1'), total('pass 1')), {
      passed: 0,
      failed: 1,
      empty: ['/a.test.ts'],
    });
  });
});
