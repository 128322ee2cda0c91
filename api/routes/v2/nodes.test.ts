import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNodes, readyPool } from '../../testing/memory-nodes.js';
import { newTestNode, reportedPool } from '../../testing/sample-node.js';
import {
  KEY,
  NODE_TOKEN,
  startTestApi,
  taskBody,
  type TestApi,
  type TestApiOptions,
} from '../../testing/test-api.js';

const TOKEN = { 'x-api-key': '', authorization: `Bearer ${NODE_TOKEN}` };

async function withApi(work: (api: TestApi) => Promise<void>, options: TestApiOptions = {}): Promise<void> {
  const api = await startTestApi(options);
  try {
    await work(api);
  } finally {
    await api.close();
  }
}

const register = (api: TestApi, changes = {}) =>
  api.ask('POST', '/v2/nodes/register', { headers: TOKEN, payload: newTestNode(changes) });
const beat = (api: TestApi, changes = {}, id = 'gpu-1') => {
  const payload = { timestamp: 1, pools: [reportedPool()], ...changes };
  return api.ask('POST', `/v2/nodes/${id}/heartbeat`, { headers: TOKEN, payload });
};
const leave = (api: TestApi, id = 'gpu-1') => api.ask('DELETE', `/v2/nodes/${id}`, { headers: TOKEN });

async function nodesOf(api: TestApi): Promise<Record<string, unknown>[]> {
  const { nodes, count } = (await api.ask('GET', '/v2/nodes', { headers: TOKEN })).json<{
    nodes: Record<string, unknown>[];
    count: number;
  }>();
  assert.equal(count, nodes.length);
  return nodes;
}

const stateOf = async (api: TestApi) => (await nodesOf(api)).map(({ state }) => state);

test('B-NAPI-001, B-NAPI-002, B-NAPI-003: a node registers, reports all that it has, and is online from then on', () =>
  withApi(async (api) => {
    const registered = await register(api);
    assert.equal(registered.statusCode, 200);
    assert.deepEqual(registered.json(), {
      ...{ success: true, message: 'node gpu-1 is registered', node_id: 'gpu-1' },
    });
    assert.deepEqual(await stateOf(api), ['registering']);
    const heard = await beat(api);
    assert.deepEqual([heard.statusCode, heard.json()], [200, { success: true, next_heartbeat_ms: 10_000 }]);
    const { pools: _ids, ...told } = newTestNode();
    const [node] = await nodesOf(api);
    const { registered_ms, last_heartbeat_ms, ...kept } = node ?? {};
    assert.deepEqual(kept, { ...told, state: 'online', reason: null, pools: [reportedPool()] });
    assert.ok(Number(last_heartbeat_ms) >= Number(registered_ms));
    assert.deepEqual([api.directory.ids(), api.directory.urlOf('gpu-1')], [['gpu-1'], told.address]);
  }));

test('B-NAPI-004, B-NAPI-005, B-NAPI-006: a silent node is offline with no pool ready, until it is heard again; an unknown one is 404', () => {
  let atMs = 1_000_000;
  return withApi(
    async (api) => {
      const unknown = await beat(api);
      assert.deepEqual(
        [unknown.statusCode, unknown.json<{ code: string }>().code],
        [404, 'NODE_NOT_REGISTERED'],
      );
      await register(api);
      await beat(api);
      atMs += 30_000;
      assert.deepEqual(await stateOf(api), ['online']);
      await api.directory.refresh();
      atMs += 1;
      const [node] = await nodesOf(api);
      assert.deepEqual(
        [node?.['state'], node?.['pools']],
        ['offline', [{ ...reportedPool(), ready: false }]],
      );
      assert.equal(api.directory.stateOf('gpu-1'), 'offline');
      assert.ok(api.log.some(({ event, node_id }) => event === 'node_offline' && node_id === 'gpu-1'));
      await beat(api);
      assert.deepEqual(await stateOf(api), ['online']);
    },
    { now: () => atMs },
  );
});

test('B-NAPI-007: a node that takes its leave is told of no more; where it was is known for the tasks that run there', () =>
  withApi(async (api) => {
    await register(api);
    await beat(api);
    assert.equal((await leave(api)).statusCode, 204);
    assert.deepEqual([await nodesOf(api), api.directory.ids()], [[], []]);
    assert.equal(api.directory.urlOf('gpu-1'), newTestNode().address);
    assert.equal((await leave(api)).statusCode, 404);
    assert.equal((await beat(api)).statusCode, 404);
  }));

test('B-NAPI-008: the same node again is refreshed; another machine gets its id once it is silent, not before', () => {
  let atMs = 1_000_000;
  return withApi(
    async (api) => {
      await register(api);
      await beat(api);
      assert.equal((await register(api, { address: 'http://gpu-1.lab:9300' })).statusCode, 200);
      assert.deepEqual(
        (await nodesOf(api)).map(({ address }) => address),
        ['http://gpu-1.lab:9300'],
      );
      const other = { machine_id: 'another', address: 'http://gpu-2.lab:9200' };
      const refused = await register(api, other);
      assert.deepEqual([refused.statusCode, refused.json<{ code: string }>().code], [409, 'DUPLICATE_NODE']);
      assert.deepEqual(
        (await nodesOf(api)).map(({ machine_id }) => machine_id),
        ['m-1'],
      );
      atMs += 30_001;
      assert.equal((await register(api, other)).statusCode, 200);
      assert.deepEqual(
        (await nodesOf(api)).map(({ machine_id }) => machine_id),
        ['another'],
      );
    },
    { now: () => atMs },
  );
});

test('B-NAPI-009: an installation of fixed nodes answers 503 to all of it', () =>
  withApi(
    async (api) => {
      const answers = await Promise.all([
        register(api),
        beat(api),
        leave(api),
        api.ask('GET', '/v2/nodes', { headers: TOKEN }),
      ]);
      for (const answer of answers)
        assert.deepEqual(
          [answer.statusCode, answer.json<{ code: string }>().code],
          [503, 'SINGLE_NODE_MODE'],
        );
    },
    { env: { DROVER_NODE_REGISTRATION: 'off' } },
  ));

test("B-NAPI-010: none of the routes is open: a token is needed, a client's key is none, and the list is for operators, too", () =>
  withApi(async (api) => {
    const routes = [
      ['POST', '/v2/nodes/register'],
      ['POST', '/v2/nodes/gpu-1/heartbeat'],
      ['DELETE', '/v2/nodes/gpu-1'],
      ['GET', '/v2/nodes'],
    ] as const;
    const codeOf = async ([method, url]: (typeof routes)[number], headers: Record<string, string>) => {
      const answer = await api.ask(method, url, { headers: { 'x-api-key': '', ...headers } });
      return [answer.statusCode, answer.json<{ code: string }>().code];
    };
    for (const route of routes) {
      assert.deepEqual(await codeOf(route, {}), [401, 'MISSING_TOKEN'], route.join(' '));
      assert.deepEqual(await codeOf(route, { authorization: 'Bearer nonsense' }), [401, 'BAD_TOKEN']);
      const isList = route[0] === 'GET';
      if (!isList)
        assert.deepEqual(await codeOf(route, { authorization: `Bearer ${KEY}` }), [401, 'BAD_TOKEN']);
      else assert.equal((await api.ask('GET', '/v2/nodes')).statusCode, 200);
    }
  }));

test('B-NAPI-012: the last word of a node that has failed is kept, and its next registration is a new beginning', () =>
  withApi(async (api) => {
    await register(api);
    await beat(api);
    assert.equal((await beat(api, { fatal: 'the disk is gone' })).statusCode, 200);
    const [node] = await nodesOf(api);
    assert.deepEqual([node?.['state'], node?.['reason']], ['failed', 'the disk is gone']);
    assert.equal(api.directory.stateOf('gpu-1'), 'failed');
    await register(api);
    assert.deepEqual(
      (await nodesOf(api)).map(({ state, reason }) => [state, reason]),
      [['registering', null]],
    );
  }));

test('B-NAPI-013: registrations, heartbeats and leaves are counted by how they ended', () =>
  withApi(async (api) => {
    await beat(api, {}, 'nobody');
    await register(api);
    await register(api, { machine_id: 'another' });
    await beat(api);
    await leave(api);
    await leave(api);
    const text = (await api.ask('GET', '/metrics')).body;
    for (const line of [
      'node_registrations_total{outcome="ok"} 1',
      'node_registrations_total{outcome="duplicate_node"} 1',
      'node_heartbeats_total{node_id="unknown",outcome="node_not_registered"} 1',
      'node_heartbeats_total{node_id="gpu-1",outcome="ok"} 1',
      'node_deregistrations_total{outcome="ok"} 1',
      'node_deregistrations_total{outcome="node_not_registered"} 1',
    ])
      assert.ok(text.includes(`${line}\n`), `${line}\n${text}`);
  }));

test('B-NAPI-014: a node of another minor line is refused, with both versions and what to do', () =>
  withApi(async (api) => {
    const refused = await register(api, { version: '9.8.0' });
    const { code, details, hint } = refused.json<{ code: string; details: unknown; hint: string }>();
    assert.deepEqual([refused.statusCode, code], [409, 'VERSION_MISMATCH']);
    assert.deepEqual(details, { node_version: '9.8.0', control_plane_version: '9.9.9' });
    assert.match(hint, /same version/);
    assert.deepEqual(await nodesOf(api), []);
    assert.equal((await register(api, { version: '9.9.0' })).statusCode, 200);
  }));

test('B-NAPI-011: a node that is drained gets no task, its pools are drained, and no heartbeat changes that until it is resumed', () => {
  let atMs = 1_000_000;
  return withApi(
    async (api) => {
      api.nodes.drains = (nodeId) => api.directory.stateOf(nodeId) === 'draining';
      const operator = { 'x-api-key': KEY };
      const post = (verb: string, payload: object | undefined, id = 'gpu-1') =>
        api.ask('POST', `/v2/nodes/${id}/${verb}`, { headers: operator, ...(payload && { payload }) });
      const task = (task_id: string) =>
        api.ask('POST', '/v2/tasks', { headers: operator, payload: taskBody({ task_id }) });
      api.nodes.poolsOf.set('gpu-1', [
        readyPool({ slots_free: 9 }),
        readyPool({ pool_id: 'loads', state: 'starting', ready: false, model_ref: 'another' }),
        readyPool({ pool_id: 'off', state: 'offline', ready: false }),
      ]);
      api.nodes.poolsOf.set('gpu-2', [readyPool({ pool_id: 'other', slots_free: 1 })]);
      assert.equal((await post('drain', { deadline_ms: 5 })).statusCode, 404);
      await register(api);
      await beat(api);
      await task('before');
      assert.equal(api.nodes.run('before').nodeId, 'gpu-1');

      const drained = await post('drain', { deadline_ms: 5 });
      assert.equal(drained.statusCode, 202);
      assert.deepEqual(drained.json(), {
        ...{ node_id: 'gpu-1', state: 'draining' },
        pools: [
          { pool_id: 'default', operation_id: 'pool:default:drain', problem: null },
          { pool_id: 'loads', operation_id: null, problem: 'POOL_CONFLICT' },
        ],
      });
      const [drain, ...others] = api.records.drains;
      assert.deepEqual(
        [drain?.node_id, drain?.pool_id, drain?.deadline_ms, others],
        ['gpu-1', 'default', 5, []],
      );
      await beat(api);
      assert.deepEqual(await stateOf(api), ['draining']);
      await task('after');
      assert.equal(api.nodes.run('after').nodeId, 'gpu-2');
      api.nodes.poolsOf.set('gpu-2', []);
      atMs += 2_000; // What was kept of the other node is too old.
      const refused = await task('nowhere');
      assert.deepEqual([refused.statusCode, refused.json<{ code: string }>().code], [503, 'POOL_UNREADY']);
      await register(api);
      await beat(api);
      assert.deepEqual(await stateOf(api), ['draining'], 'a worker that starts again drains on');

      const resumed = await post('resume', undefined);
      assert.deepEqual([resumed.statusCode, resumed.json()], [200, { node_id: 'gpu-1', state: 'online' }]);
      assert.equal((await task('again')).statusCode, 202);
      const asNode = await api.ask('POST', '/v2/nodes/gpu-1/drain', {
        headers: TOKEN,
        payload: { deadline_ms: 5 },
      });
      assert.equal(asNode.statusCode, 401);
    },
    { nodes: new MemoryNodes(['gpu-1', 'gpu-2']), now: () => atMs },
  );
});
