import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readReport } from './report.js';

test('an operation without a failure has passed, one with a failure is named with its first lines', () => {
  const xml = `<?xml version="1.0"?>
<testsuites><testsuite name="schemathesis" tests="3">
  <testcase name="GET /v2/pools" time="1"/>
  <testcase name="POST /v2/tasks" time="1"><system-out>fine</system-out></testcase>
  <testcase name="GET /v2/x" time="1"><failure type="failure" message="1. Test Case ID: a&#10;&#10;- Undocumented &lt;status&gt;&#10;more"/></testcase>
</testsuite></testsuites>`;
  assert.deepEqual(readReport(xml), {
    passed: 2,
    failures: ['GET /v2/x: 1. Test Case ID: a - Undocumented <status>'],
  });
  assert.deepEqual(readReport(''), { passed: 0, failures: [] });
});
