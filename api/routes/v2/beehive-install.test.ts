import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeToAdd } from '../../../testing/registry-twin.js';
import { runningInstall } from '../../testing/memory-installs.js';
import { startTestApi, type TestApi } from '../../testing/test-api.js';

const BASE = '/v2/registry/beehives';
const ID = 'node:gpu-1:install';

async function withApi(
  work: (api: TestApi) => Promise<void>,
  env: Record<string, string> = {},
): Promise<void> {
  const api = await startTestApi({ env });
  try {
    await api.registered.add(nodeToAdd());
    await work(api);
  } finally {
    await api.close();
  }
}

test('B-SSH-009: an installation is ordered with what is registered, and answers where it tells how it stands', () =>
  withApi(async (api) => {
    const order = { api_url: 'https://api.lab', temporal_address: 'temporal.lab:7233' };
    const answer = await api.ask('POST', `${BASE}/gpu-1/install`, { payload: order });
    const href = `/v2/operations/${encodeURIComponent(ID)}`;
    assert.deepEqual(
      [answer.statusCode, answer.json()],
      [202, { operation_id: ID, status: 'running', href }],
    );
    const [input] = api.installs.inputs;
    assert.deepEqual([input?.node, input?.order], [nodeToAdd(), { ...order, port: 9_200 }]);
    assert.ok(api.audited.some(({ event_type }) => event_type === 'node_installed'));
    const running = runningInstall('gpu-1', 'plan', 'reach');
    api.installs.operations.set('gpu-1', running);
    assert.deepEqual((await api.ask('GET', href)).json(), running);
  }));

test('a node that is not registered is 404 with how to add it, and so is an installation that never was', () =>
  withApi(async (api) => {
    const refused = await api.ask('POST', `${BASE}/nobody/install`, { payload: {} });
    const { code, message } = refused.json<{ code: string; message: string }>();
    assert.deepEqual([refused.statusCode, code], [404, 'NODE_NOT_FOUND_IN_REGISTRY']);
    assert.match(message, /beehives\/add/);
    assert.deepEqual(api.installs.inputs, []);
    for (const url of [`${BASE}/gpu-1/events`, `/v2/operations/${ID}`])
      assert.equal((await api.ask('GET', url)).json<{ code: string }>().code, 'OPERATION_NOT_FOUND');
    for (const order of [{ api_url: 'file:///etc' }, { temporal_address: 'a b:1' }, { port: 0 }])
      assert.equal((await api.ask('POST', `${BASE}/gpu-1/install`, { payload: order })).statusCode, 400);
  }));

test('B-SSH-009: its events are its steps from the first on, then its end with the step and the output that failed', () =>
  withApi(async (api) => {
    api.installs.operations.set('gpu-1', runningInstall('gpu-1', 'plan', 'reach'));
    const details = { node_name: 'gpu-1', step: 'build', reason: 'packages', output_tail: 'npm error' };
    const ended = {
      ...{ ...runningInstall('gpu-1', 'plan', 'reach', 'build'), status: 'failed' as const, ended_at_ms: 9 },
      error: { code: 'NODE_INSTALL_FAILED', message: 'packages', details },
    };
    const reading = api.ask('GET', `${BASE}/gpu-1/events`);
    api.installs.operations.set('gpu-1', ended);
    const all = framesIn((await reading).body);
    assert.deepEqual(
      all.map(({ event, data }) => [event, event === 'end' ? data['error'] : data['step']]),
      [
        ['step', 'plan'],
        ['step', 'reach'],
        ['step', 'build'],
        ['end', ended.error],
      ],
    );
    const headers = { 'last-event-id': all[1]?.id ?? '' };
    const rest = framesIn((await api.ask('GET', `${BASE}/gpu-1/events`, { headers })).body);
    assert.deepEqual(rest, all.slice(2));
  }));

test('B-SSH-009: a build of minutes, looked at all the while, is kept alive by comments', () =>
  withApi(
    async (api) => {
      const building = runningInstall('gpu-1', 'build');
      api.installs.operations.set('gpu-1', building);
      const reading = api.ask('GET', `${BASE}/gpu-1/events`);
      setTimeout(
        () =>
          api.installs.operations.set('gpu-1', { ...building, status: 'completed' as const, ended_at_ms: 9 }),
        1_600,
      );
      assert.match((await reading).body, /event: step\n[^\n]*\n\n: keep-alive\n\n/);
    },
    // Longer than the pause between two looks.
    { DROVER_SSE_HEARTBEAT_MS: '700' },
  ));

interface Frame {
  id: string;
  event: string;
  data: Record<string, unknown>;
}

function framesIn(text: string): Frame[] {
  const blocks = text.split('\n\n').filter((block) => block.includes('event:'));
  return blocks.map((block) => {
    const fields = Object.fromEntries(
      block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
    );
    const { id = '', event = '', data = '{}' } = fields;
    return { id, event, data: JSON.parse(data) as Record<string, unknown> };
  });
}
