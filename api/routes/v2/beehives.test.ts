import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { errorEnvelope } from '../../../contracts/errors.js';
import type { RegisteredNode } from '../../../contracts/registered-node.js';
import { nodeToAdd } from '../../../testing/registry-twin.js';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const BASE = '/v2/registry/beehives';
const {
  ssh_port: _port,
  git_branch: _branch,
  backends: _backends,
  devices: _devices,
  ...LEAST
} = nodeToAdd();

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi({ now: () => 1_700_000_000_000 });
});
afterEach(() => api.close());

const add = (over: object = {}) => api.ask('POST', `${BASE}/add`, { payload: { ...LEAST, ...over } });
const remove = (payload: object) => api.ask('POST', `${BASE}/remove`, { payload });
const listed = async () => (await api.ask('GET', `${BASE}/list`)).json<{ nodes: RegisteredNode[] }>().nodes;

async function refused(asked: ReturnType<TestApi['ask']>) {
  const answer = await asked;
  const { code, message, details, correlation_id } = errorEnvelope.parse(answer.json());
  assert.ok(correlation_id !== undefined && message !== '');
  return { status: answer.statusCode, code, message, details };
}

test('B-NODE-001, B-NODE-007: a node that is reached is registered, its port and branch filled in, and listed by name', async () => {
  for (const node_name of ['gpu-2', 'gpu-1']) {
    const answer = await add({ node_name });
    assert.equal(answer.statusCode, 200, answer.body);
    const { success, node_name: named, round_trip_ms, advice } = answer.json<Record<string, unknown>>();
    assert.deepEqual([success, named, round_trip_ms, advice], [true, node_name, 2.5, []]);
  }
  const [first, second] = await listed();
  assert.deepEqual(first, {
    ...nodeToAdd(),
    ...{ ssh_port: 22, git_branch: 'main', status: 'reachable', last_connected_unix: 1_700_000_000 },
  });
  assert.equal(second?.node_name, 'gpu-2');
});

test('B-NODE-002, B-SSH-006, C-162, B-RERR-001, B-RERR-004: a node that is not reached is 502 with the facts, but for where it is, and not stored', async () => {
  const message = 'the node refused the key; chmod 600';
  const details = { node_name: 'gpu-1', reason: 'key_refused', attempts: 1 };
  api.visits.outcome = { kind: 'failed', code: 'SSH_CONNECTION_FAILED', message, details };
  assert.deepEqual(await refused(add()), { status: 502, code: 'SSH_CONNECTION_FAILED', message, details });
  assert.deepEqual(await listed(), []);
  for (const code of ['SSH_TIMEOUT', 'SSH_COMMAND_FAILED'] as const) {
    api.visits.outcome = { kind: 'failed', code, message, details };
    assert.equal((await refused(add())).status, 502);
  }
});

test('B-NODE-006, C-161: a name that is registered, or is being added, is 409 with advice, and nothing is visited', async () => {
  await add();
  const before = await listed();
  const twice = await refused(add({ ssh_host: 'elsewhere' }));
  assert.deepEqual(
    [twice.status, twice.code, twice.details],
    [409, 'DUPLICATE_NODE', { node_name: 'gpu-1' }],
  );
  assert.match(twice.message, /PATCH.*remove/);
  assert.deepEqual([await listed(), api.visits.inputs.length], [before, 1]);
  api.visits.adding = true;
  assert.equal((await refused(add({ node_name: 'gpu-2' }))).code, 'DUPLICATE_NODE');
});

test('B-NODE-009, B-NODE-013: a node is found, with host, port, user and key path, and the key itself nowhere', async () => {
  await add({ ssh_port: 2222 });
  const answer = await api.ask('GET', `${BASE}/gpu-1`);
  const { ssh_host, ssh_port, ssh_user, ssh_key_path } = answer.json<RegisteredNode>();
  assert.deepEqual(
    [answer.statusCode, ssh_host, ssh_port, ssh_user, ssh_key_path],
    [200, 'gpu-1.lab', 2222, 'ops', '/keys/gpu-1'],
  );
  const fields = Object.keys(answer.json<RegisteredNode>()).filter((field) => field.includes('key'));
  assert.deepEqual(fields, ['ssh_key_path']);
});

test('B-NODE-010: a node that is not registered is 404 with the names of those that are, whatever is asked of it', async () => {
  await add();
  const asked = [
    api.ask('GET', `${BASE}/gpu-9`),
    api.ask('PATCH', `${BASE}/gpu-9`, { payload: { ssh_port: 1 } }),
    api.ask('POST', `${BASE}/gpu-9/check`),
    remove({ node_name: 'gpu-9' }),
  ];
  for (const each of asked) {
    const { status, code, details } = await refused(each);
    assert.deepEqual([status, code], [404, 'NODE_NOT_FOUND_IN_REGISTRY']);
    assert.deepEqual(details, { node_name: 'gpu-9', registered_nodes: ['gpu-1'] });
  }
});

test('B-NODE-011, B-NODE-012: a stored user or host that is empty is refused under its own code before anybody is visited', async () => {
  await add();
  const cases = [
    ['ssh_user', 'INVALID_SSH_USER'],
    ['ssh_host', 'INVALID_SSH_HOST'],
  ] as const;
  for (const [field, code] of cases) {
    const { [field]: kept } = LEAST;
    await api.registered.update('gpu-1', { [field]: '' });
    for (const asked of [api.ask('GET', `${BASE}/gpu-1`), api.ask('POST', `${BASE}/gpu-1/check`)]) {
      const { status, code: told, details } = await refused(asked);
      assert.deepEqual([status, told, details], [400, code, { node_name: 'gpu-1' }]);
    }
    const mended = await api.ask('PATCH', `${BASE}/gpu-1`, { payload: { [field]: kept } });
    assert.equal(mended.statusCode, 200);
  }
  assert.equal(api.visits.inputs.length, 1);
});

test('B-NODE-011, B-NODE-012, B-NODE-017: what is asked must name a user, a host and a node; nothing sent is repeated', async () => {
  const cases: [object, string][] = [
    [{ ssh_user: '' }, 'INVALID_SSH_USER'],
    [{ ssh_user: '-l' }, 'INVALID_SSH_USER'],
    [{ ssh_host: '' }, 'INVALID_SSH_HOST'],
    [{ ssh_host: '-oProxyCommand=evil' }, 'INVALID_SSH_HOST'],
    [{ ssh_user: '', ssh_host: '' }, 'INVALID_PARAMS'],
    [{ node_name: 'evil_name' }, 'INVALID_PARAMS'],
    [{ ssh_key_path: '/keys/../evil' }, 'INVALID_PARAMS'],
    [{ ssh_port: 0 }, 'INVALID_PARAMS'],
    [{ git_repo_url: undefined }, 'INVALID_PARAMS'],
  ];
  for (const [over, code] of cases) {
    const answer = await refused(add(over));
    assert.deepEqual([answer.status, answer.code], [400, code], JSON.stringify(over));
    assert.doesNotMatch(JSON.stringify(answer), /evil/);
    if (code !== 'INVALID_PARAMS') assert.deepEqual(answer.details, { node_name: 'gpu-1' });
    else assert.ok(Array.isArray(answer.details));
  }
  assert.deepEqual([await listed(), api.visits.inputs], [[], []]);
});

test('a change touches the named fields; who is elsewhere from now on is unknown, and a field that is none is refused', async () => {
  await add();
  const change = (payload: object) => api.ask('PATCH', `${BASE}/gpu-1`, { payload });
  const kept = (await change({ install_path: '/srv/drover', git_branch: 'next' })).json<RegisteredNode>();
  assert.deepEqual([kept.install_path, kept.git_branch, kept.status], ['/srv/drover', 'next', 'reachable']);
  const moved = (await change({ ssh_host: 'gpu-1b.lab' })).json<RegisteredNode>();
  assert.deepEqual([moved.ssh_host, moved.status, moved.ssh_port], ['gpu-1b.lab', 'unknown', 22]);
  assert.deepEqual(await listed(), [moved]);
  for (const wrong of [{ status: 'reachable' }, { node_name: 'x' }, { ssh_port: 'x' }])
    assert.equal((await refused(change(wrong))).code, 'INVALID_PARAMS');
  assert.equal((await refused(change({ ssh_host: ' ' }))).code, 'INVALID_SSH_HOST');
});

test('B-NODE-015: a check notes what came of it', async () => {
  await add();
  await api.ask('PATCH', `${BASE}/gpu-1`, { payload: { ssh_port: 23 } });
  const answer = await api.ask('POST', `${BASE}/gpu-1/check`);
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal((await listed())[0]?.status, 'reachable');
  const { node } = api.visits.inputs.at(-1) ?? {};
  assert.deepEqual(node, { ...nodeToAdd(), ssh_port: 23 });
  api.visits.outcome = { kind: 'failed', code: 'SSH_TIMEOUT', message: 'late', details: {} };
  assert.equal((await refused(api.ask('POST', `${BASE}/gpu-1/check`))).code, 'SSH_TIMEOUT');
  assert.equal((await listed())[0]?.status, 'offline');
});

test('B-SSH-003, B-SSH-004: a slow way and a missing installation are advice to whoever adds the node', async () => {
  const visited = { round_trip_ms: 180, slow: true, installed: false };
  api.visits.outcome = { kind: 'reached', visited };
  const { success, advice } = (await add()).json<{ success: boolean; advice: string[] }>();
  assert.equal(success, true);
  assert.match(advice.join('\n'), /install it there.*\n.*180 ms/);
});

test('B-NODE-008: a node is removed once, and what operators did is in the audit log', async () => {
  await add();
  const answer = await remove({ node_name: 'gpu-1' });
  assert.deepEqual([answer.statusCode, answer.json<{ success: boolean }>().success], [200, true]);
  assert.equal((await refused(remove({ node_name: 'gpu-1' }))).code, 'NODE_NOT_FOUND_IN_REGISTRY');
  const done = api.audited.filter(({ details }) => details['phase'] === 'answered');
  assert.deepEqual(
    done.map(({ event_type, details }) => [event_type, details['node_name'], details['status']]),
    [
      ['node_added', 'gpu-1', 200],
      ['node_removed', 'gpu-1', 200],
      ['node_removed', 'gpu-1', 404],
    ],
  );
});

test('B-NODE-018: a node that has pools is kept, unless it is forced: then they are drained first', async (t) => {
  const node_name = 'gpu-1';
  const nodes = new MemoryNodes([node_name]);
  const off = { state: 'offline' as const, live: false, ready: false };
  nodes.poolsOf.set(node_name, [readyPool({ pool_id: 'busy' }), readyPool({ pool_id: 'off', ...off })]);
  const own = await startTestApi({ nodes });
  t.after(() => own.close());
  await own.ask('POST', `${BASE}/add`, { payload: { ...LEAST, node_name } });
  const asked = (over: object) => own.ask('POST', `${BASE}/remove`, { payload: { node_name, ...over } });
  const kept = await refused(asked({}));
  assert.deepEqual(
    [kept.status, kept.code, kept.details],
    [409, 'NODE_IN_USE', { node_name, pools: ['busy'] }],
  );
  assert.deepEqual(own.records.drains, []);
  assert.equal((await refused(asked({ force: true, drain_deadline_ms: 50 }))).code, 'NODE_IN_USE');
  assert.equal((await own.registered.list()).length, 1);
  const result = { pool_id: 'busy', duration_ms: 1, force_stopped: false, final_lease_count: 0 };
  own.records.drainOutcome = { kind: 'done', result };
  assert.equal((await asked({ force: true })).statusCode, 200);
  assert.deepEqual(
    own.records.drains.map(({ pool_id, deadline_ms }) => [pool_id, deadline_ms]),
    [
      ['busy', 50],
      ['busy', 60_000],
    ],
  );
  assert.deepEqual(await own.registered.list(), []);
});
