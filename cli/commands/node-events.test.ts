import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { readyPool } from '../../api/testing/memory-nodes.js';
import { CliRun } from '../../testing/run-cli.js';
import { frameText, openEvents, ScriptedServer, sendJson } from '../../testing/scripted-server.js';

const COMMAND = [process.execPath, '--import', 'tsx', join(import.meta.dirname, '..', 'main.ts')] as const;

const servers: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const poolOn = (pool_id: string, node: string) => ({
  ...{ ...readyPool(), pool_id, metrics: { queue_depth: 0 }, node_ids: [node] },
});
const preloadOf = (pool_id: string, at_ms: number) => ({
  ...{ operation_id: `pool:${pool_id}:preload`, run_id: 'r', kind: 'preload', pool_id, status: 'running' },
  ...{ started_at_ms: at_ms, ended_at_ms: null, step: 'spawn', waiting_for: [], outcome: null, error: null },
  steps: [{ step: 'spawn', doing: `starts the engine of ${pool_id}`, at_ms, duration_ms: null }],
});
const stepOf = (pool_id: string) => ({
  ...{ operation_id: `pool:${pool_id}:drain`, run_id: 'r', kind: 'drain', step: 'wait', at_ms: 9 },
  doing: `waits for the tasks of ${pool_id}`,
});

/** Two pools on n-1, one elsewhere. */
async function logsOf(args: readonly string[]): Promise<CliRun> {
  const pools = [poolOn('tea', 'n-1'), poolOn('pot', 'n-1'), poolOn('far', 'n-2')];
  const server = await ScriptedServer.start((response, { path }) => {
    const [, pool = ''] = /^\/v2\/pools\/(\w+)\/events$/.exec(path) ?? [];
    if (path === '/v2/pools') sendJson(response, 200, { pools });
    else if (pool !== '') openEvents(response, frameText(1, 'step', stepOf(pool)));
    else if (path.includes('tea%3Apreload')) sendJson(response, 200, preloadOf('tea', 2));
    else if (path.includes('pot%3Apreload')) sendJson(response, 200, preloadOf('pot', 1));
    else sendJson(response, 404, { code: 'OPERATION_NOT_FOUND', message: 'never done' });
  });
  servers.push(server);
  const env = { DROVER_URL: server.url, DROVER_API_KEY: 'k', HOME: '/nonexistent' };
  return new CliRun({ command: COMMAND, args: ['logs', ...args], env });
}

test('B-CLI-007: the logs of a node are what was done to its pools, in order, and end with 0', async () => {
  const run = await logsOf(['--node', 'n-1']);
  assert.equal(await run.exitCode(), 0, run.stderr);
  assert.match(run.stdout, /^pot .*starts the engine of pot\ntea .*starts the engine of tea\n$/);
  const nowhere = await logsOf(['--node', 'n-9', '--json']);
  assert.equal(await nowhere.exitCode(), 1);
  assert.equal(nowhere.errorRecord['code'], 'NO_WORKERS');
  const both = await logsOf(['tea', '--node', 'n-1', '--json']);
  assert.equal(await both.exitCode(), 1);
  assert.equal(both.errorRecord['code'], 'INVALID_ARGUMENT');
});

test('B-CLI-007: with --follow they go on for all of its pools, until Ctrl-C ends them with 130', async () => {
  const run = await logsOf(['--node', 'n-1', '--follow']);
  await run.said('waits for the tasks of tea');
  await run.said('waits for the tasks of pot');
  assert.match(run.stdout, /^tea .*tasks of tea$/m);
  assert.doesNotMatch(run.stdout, /far/);
  run.signal('SIGINT');
  assert.equal(await run.exitCode(), 130);
});
