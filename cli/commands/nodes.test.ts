import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { CliRun } from '../../testing/run-cli.js';
import { openEvents, ScriptedServer, sendJson, type Answerer } from '../../testing/scripted-server.js';

const COMMAND = [process.execPath, '--import', 'tsx', join(import.meta.dirname, '..', 'main.ts')] as const;
/** Any file that is there will do. */
const KEY = import.meta.filename;
const PLACE = ['--ssh-host', 'gpu-1.lab', '--ssh-user', 'ops', '--ssh-key', KEY];
const SOURCE = ['--git-repo', 'https://git.example/drover.git', '--install-path', '/opt/drover'];
const NODE = {
  ...{ node_name: 'gpu-1', ssh_host: 'gpu-1.lab', ssh_port: 2222, ssh_user: 'ops', ssh_key_path: KEY },
  ...{ git_repo_url: 'https://git.example/drover.git', git_branch: 'main', install_path: '/opt/drover' },
  ...{ backends: [], devices: {}, last_connected_unix: 1_700_000_000, status: 'reachable' },
};
const ADDED = {
  ...{ success: true, message: 'node gpu-1 is registered', node_name: 'gpu-1', round_trip_ms: 2 },
  advice: ['Drover is not at its install_path'],
};

const servers: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function run(args: readonly string[], answer: Answerer) {
  const server = await ScriptedServer.start(answer);
  servers.push(server);
  const env = { DROVER_URL: server.url, DROVER_API_KEY: 'k-secret', HOME: '/nonexistent' };
  const cli = new CliRun({ command: COMMAND, args, env });
  const code = await cli.exitCode();
  const asked = server.requests.map(({ method, path, body }) => ({
    ...{ method, path },
    body: body === '' ? undefined : (JSON.parse(body) as Record<string, unknown>),
  }));
  return { code, cli, asked };
}

const answered =
  (body: unknown, status = 200): Answerer =>
  (response) =>
    sendJson(response, status, body);

test('B-CLI-001: a node is added under both names of the command, by the same request', async () => {
  const both = await Promise.all([
    run(['nodes', 'add', 'gpu-1', ...PLACE, ...SOURCE, '--ssh-port', '2222'], answered(ADDED)),
    run(['setup', 'add-node', '--name', 'gpu-1', ...PLACE, ...SOURCE, '--ssh-port', '2222'], answered(ADDED)),
  ]);
  for (const { code, cli, asked } of both) {
    assert.equal(code, 0, cli.stderr);
    const { ssh_host, ssh_user, git_repo_url, install_path } = NODE;
    const body = { node_name: 'gpu-1', ssh_host, ssh_port: 2222, ssh_user, ssh_key_path: KEY };
    assert.deepEqual(asked, [
      { method: 'POST', path: '/v2/registry/beehives/add', body: { ...body, git_repo_url, install_path } },
    ]);
    assert.match(cli.stdout, /^node gpu-1 is registered, in 2 ms\n$/);
    assert.match(cli.stderr, /not at its install_path/);
  }
});

test('B-NODE-005: a key that is no file is refused before anything is sent, by its path', async () => {
  const place = ['--ssh-host', 'gpu-1.lab', '--ssh-user', 'ops', '--ssh-key', '/no/such/key'];
  const rows = [
    ['nodes', 'add', 'gpu-1', ...place, ...SOURCE],
    ['setup', 'update-node', '--name', 'gpu-1', '--ssh-key', '/no/such/key'],
  ];
  for (const args of rows) {
    const { code, cli, asked } = await run([...args, '--json'], answered(ADDED));
    assert.deepEqual([code, asked], [1, []]);
    assert.equal(cli.errorRecord['code'], 'SSH_KEY_NOT_FOUND');
    assert.match(String(cli.errorRecord['message']), /\/no\/such\/key/);
  }
  const elsewhere = [
    'setup',
    'update-node',
    '--name',
    'gpu-1',
    '--ssh-key',
    '/no/such/key',
    '--key-elsewhere',
  ];
  const { asked } = await run(elsewhere, answered(NODE));
  assert.deepEqual(asked[0]?.body, { ssh_key_path: '/no/such/key' });
});

test('B-CLI-002, B-NODE-007: nodes are listed, changed and removed under both names', async () => {
  const listed = answered({ nodes: [NODE, { ...NODE, node_name: 'gpu-2', last_connected_unix: null }] });
  for (const args of [
    ['nodes', 'list'],
    ['setup', 'list-nodes'],
  ]) {
    const { cli } = await run(args, listed);
    const [head, first, second] = cli.stdout.split('\n');
    assert.match(String(head), /^NODE +STATUS +LAST CONTACT +HOST +INSTALLED AT$/);
    assert.match(String(first), /^gpu-1 +reachable +2023-11-14 22:13 +gpu-1.lab port 2222 +\/opt\/drover$/);
    assert.match(String(second), /^gpu-2 +reachable +never/);
  }
  for (const args of [
    ['nodes', 'update', 'gpu-1'],
    ['setup', 'update-node', '--name', 'gpu-1'],
  ]) {
    const { cli, asked } = await run([...args, '--git-branch', 'next'], answered(NODE));
    assert.deepEqual(asked, [
      { method: 'PATCH', path: '/v2/registry/beehives/gpu-1', body: { git_branch: 'next' } },
    ]);
    assert.match(cli.stdout, /^host +gpu-1.lab port 2222$/m);
  }
  for (const args of [
    ['nodes', 'remove', 'gpu-1'],
    ['setup', 'remove-node', '--name', 'gpu-1'],
  ]) {
    const gone = { success: true, message: 'node gpu-1 is no longer registered' };
    const { cli, asked } = await run([...args, '--force', '--deadline', '5s'], answered(gone));
    const body = { node_name: 'gpu-1', force: true, drain_deadline_ms: 5_000 };
    assert.deepEqual(asked, [{ method: 'POST', path: '/v2/registry/beehives/remove', body }]);
    assert.equal(cli.stdout, 'node gpu-1 is no longer registered\n');
  }
});

test('B-NAPI-011: a node is drained and resumed, and what became of each pool is told', async () => {
  const pools = [
    { pool_id: 'p', operation_id: 'pool:p:drain', problem: null },
    { pool_id: 'q', operation_id: null, problem: 'POOL_CONFLICT' },
  ];
  const drained = await run(
    ['nodes', 'drain', 'gpu-1', '--deadline', '5s'],
    answered({ node_id: 'gpu-1', state: 'draining', pools }, 202),
  );
  const body = { deadline_ms: 5_000 };
  assert.deepEqual(drained.asked, [{ method: 'POST', path: '/v2/nodes/gpu-1/drain', body }]);
  assert.equal(
    drained.cli.stdout,
    'gpu-1 gets no more tasks\np is drained: pool:p:drain\nq is not drained: POOL_CONFLICT\n',
  );
  const resumed = await run(['nodes', 'resume', 'gpu-1'], answered({ node_id: 'gpu-1', state: 'online' }));
  assert.deepEqual(resumed.asked, [{ method: 'POST', path: '/v2/nodes/gpu-1/resume', body: undefined }]);
  assert.match(resumed.cli.stdout, /^gpu-1 may work again/);
});

test('a node is shown and checked; with --json as the API has it', async () => {
  const shown = await run(['nodes', 'show', 'gpu-1', '--json'], answered(NODE));
  assert.deepEqual(JSON.parse(shown.cli.stdout), NODE);
  const checked = await run(['nodes', 'check', 'gpu-1', '--json'], answered(ADDED));
  assert.deepEqual(JSON.parse(checked.cli.stdout), ADDED);
  assert.deepEqual(checked.asked, [
    { method: 'POST', path: '/v2/registry/beehives/gpu-1/check', body: undefined },
  ]);
});

test('B-NODE-010: a node that is not registered is told with how to add it, and ends with 1', async () => {
  const details = { node_name: 'nobody', registered_nodes: ['gpu-1'] };
  const refusal = {
    code: 'NODE_NOT_FOUND_IN_REGISTRY',
    message: 'no node of this name is registered',
    details,
  };
  const { code, cli } = await run(['nodes', 'check', 'nobody', '--json'], answered(refusal, 404));
  assert.equal(code, 1);
  const { code: told, details: facts, suggested_action } = cli.errorRecord;
  assert.deepEqual([told, facts], ['NODE_NOT_FOUND_IN_REGISTRY', details]);
  assert.match(String(suggested_action), /drover nodes add NAME --ssh-host/);
});

const INSTALL = {
  ...{ operation_id: 'node:gpu-1:install', run_id: 'r1', kind: 'install', node_name: 'gpu-1' },
  ...{ started_at_ms: 1, ended_at_ms: 9, step: 'report', steps: [], waiting_for: [] },
};

/** An API that takes the order, tells a step and ends like this. */
const installing =
  (end: object): Answerer =>
  (response, { path }) => {
    if (path.endsWith('/install'))
      return sendJson(response, 202, { operation_id: INSTALL.operation_id, status: 'running', href: '/' });
    const { operation_id, run_id, kind } = INSTALL;
    const step = { operation_id, run_id, kind, step: 'build', doing: 'installing packages', at_ms: 5 };
    const frame = (id: number, event: string, data: object) =>
      `id: r1.${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    openEvents(response, frame(0, 'step', step), frame(1, 'end', { ...INSTALL, ...end }));
    response.end();
  };

test('B-CLI-003: a node is installed under both names of the command, its steps told until it reports', async () => {
  const outcome = { node_name: 'gpu-1', commit: 'c0ffee0000000000', version: '1.2.3', worker: 'started' };
  for (const args of [
    ['nodes', 'install', 'gpu-1'],
    ['setup', 'install', '--node', 'gpu-1'],
  ]) {
    const order = ['--api-url', 'https://api.lab', '--port', '9300'];
    const { code, cli, asked } = await run(
      [...args, ...order],
      installing({ status: 'completed', outcome, error: null }),
    );
    assert.equal(code, 0, cli.stderr);
    assert.deepEqual(asked[0], {
      ...{ method: 'POST', path: '/v2/registry/beehives/gpu-1/install' },
      body: { api_url: 'https://api.lab', port: 9_300 },
    });
    assert.match(cli.stderr, /^installing packages$/m);
    assert.equal(cli.stdout, 'gpu-1 reports: version 1.2.3 at c0ffee000000, node worker started\n');
  }
});

test('B-SSH-009: an installation that fails ends with 1, the step that failed and the end of its output', async () => {
  const details = {
    node_name: 'gpu-1',
    step: 'build',
    reason: 'packages',
    output_tail: 'npm error E404\nnpm error',
  };
  const error = { code: 'NODE_INSTALL_FAILED', message: 'the packages could not be installed', details };
  const failing = installing({ status: 'failed', outcome: null, error });
  const { code, cli } = await run(['nodes', 'install', 'gpu-1'], failing);
  assert.equal(code, 1);
  assert.match(cli.stderr, /^error NODE_INSTALL_FAILED: the packages could not be installed$/m);
  assert.match(cli.stderr, /^ {2}\| npm error E404$/m);
  assert.match(cli.stderr, /^ {2}step: build$/m);
  const asJson = await run(['nodes', 'install', 'gpu-1', '--json'], failing);
  assert.deepEqual(asJson.cli.errorRecord['details'], { ...details, operation_id: INSTALL.operation_id });
});
