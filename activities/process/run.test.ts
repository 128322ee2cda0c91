import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTool } from './run.js';

const node = process.execPath;

test('a tool that ends well gives its output', async () => {
  const result = await runTool(node, ['-e', 'console.log(process.env.A)'], {
    timeoutMs: 10_000,
    env: { A: '7' },
  });
  assert.deepEqual(result, { ok: true, stdout: '7', stderr: '', outcome: `${node} ended with code 0` });
});

test('a tool that fails says how, and what it wrote', async () => {
  const result = await runTool(node, ['-e', 'console.error("no driver"); process.exit(9)'], {
    timeoutMs: 10_000,
  });
  assert.equal(result.ok, false);
  assert.equal(result.stderr, 'no driver');
  assert.match(result.outcome, /exit code 9/);
});

test('a tool that hangs is ended when its time is over', async () => {
  const program = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)";
  const result = await runTool(node, ['-e', program], { timeoutMs: 200 });
  assert.equal(result.ok, false);
  assert.match(result.outcome, /timed out after 200/);
});

test('a tool that is not there is a result, not an exception', async () => {
  const result = await runTool('/no/such/tool', [], { timeoutMs: 1_000 });
  assert.equal(result.ok, false);
  assert.match(result.outcome, /ENOENT/);
});
