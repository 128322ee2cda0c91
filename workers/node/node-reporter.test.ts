import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { pino } from 'pino';
import { newTestNode, reportedPool } from '../../api/testing/sample-node.js';
import { Changes } from '../../testing/changes.js';
import { freePort } from '../../testing/free-port.js';
import { ScriptedServer, sendJson, type Answerer } from '../../testing/scripted-server.js';
import { NodeReporter } from './node-reporter.js';

const TOKEN = 'the-token-of-the-nodes';
const HEARD = { success: true, next_heartbeat_ms: 10_000 };
const ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

async function serve(answer: Answerer): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(answer);
  ended.push(() => server.close());
  return server;
}

/** A reporter whose pauses take no time; after so many of them it pauses until it ends. */
function reporterTo(apiUrl: string, pauses: number) {
  const waited: number[] = [];
  const changes = new Changes();
  const reporter = new NodeReporter({
    ...{ apiUrl, token: () => TOKEN, log: pino({ level: 'silent' }), now: () => 5, random: () => 0.5 },
    ...{ registration: newTestNode, pools: () => [reportedPool()] },
    pause: (ms, signal) => {
      waited.push(ms);
      changes.notify();
      if (waited.length < pauses) return Promise.resolve();
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('it is over')), { once: true }),
      );
    },
  });
  ended.push(() => reporter.stop());
  const paused = () =>
    changes.until(
      () => `${pauses} pauses; there were ${waited.join(', ')}`,
      () => (waited.length >= pauses ? waited : undefined),
    );
  return { reporter, paused };
}

const asked = (server: ScriptedServer) => server.requests.map(({ method, path }) => `${method} ${path}`);
const BEAT = 'POST /v2/nodes/gpu-1/heartbeat';
const REGISTER = 'POST /v2/nodes/register';

test('B-NAPI-003: a node registers, reports at once, then every ten seconds, and takes its leave', async () => {
  const server = await serve((response) => sendJson(response, 200, HEARD));
  const { reporter, paused } = reporterTo(server.url, 4);
  reporter.start();
  assert.deepEqual((await paused()).slice(1), [10_000, 10_000, 10_000]);
  await reporter.stop();
  assert.deepEqual(asked(server), [REGISTER, BEAT, BEAT, BEAT, 'DELETE /v2/nodes/gpu-1']);
  const [registered, heard] = server.requests;
  assert.deepEqual(JSON.parse(registered?.body ?? ''), newTestNode());
  assert.deepEqual(JSON.parse(heard?.body ?? ''), { timestamp: 5, pools: [reportedPool()] });
  assert.ok(server.requests.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`));
});

test('B-NAPI-005: a node that the API does not know any more registers again', async () => {
  const server = await serve((response, _request, count) =>
    count === 2
      ? sendJson(response, 404, { code: 'NODE_NOT_REGISTERED', message: 'no such node', retriable: false })
      : sendJson(response, 200, HEARD),
  );
  const { reporter, paused } = reporterTo(server.url, 4);
  reporter.start();
  await paused();
  assert.deepEqual(asked(server), [REGISTER, BEAT, REGISTER, BEAT]);
});

test('B-NODE-036, B-HTTP-012: an API that is lost is tried after 1, 2, 4, 8, 16 s and up to one more, round by round', async () => {
  const { reporter, paused } = reporterTo(`http://127.0.0.1:${await freePort()}`, 8);
  reporter.start();
  assert.deepEqual(await paused(), [1_500, 2_500, 4_500, 8_500, 16_500, 10_000, 1_500, 2_500]);
});

test('an API that is back is reported to as before', async () => {
  const server = await serve((response, _request, count) =>
    count === 3
      ? sendJson(response, 503, { code: 'STORE_UNAVAILABLE', message: 'away', retriable: true })
      : sendJson(response, 200, HEARD),
  );
  const { reporter, paused } = reporterTo(server.url, 5);
  reporter.start();
  assert.deepEqual((await paused()).slice(1), [10_000, 1_500, 10_000, 10_000]);
  assert.deepEqual(asked(server), [REGISTER, BEAT, BEAT, BEAT, BEAT]);
});

test('B-NAPI-014: an API that refuses the node is left alone for a minute', async () => {
  const refusal = { code: 'VERSION_MISMATCH', message: 'another version', retriable: false };
  const server = await serve((response) => sendJson(response, 409, refusal));
  const { reporter, paused } = reporterTo(server.url, 2);
  reporter.start();
  assert.deepEqual(await paused(), [60_000, 60_000]);
  assert.deepEqual(asked(server), [REGISTER, REGISTER]);
});

test('B-NAPI-012: the last word of a node that fails is why, and it takes no leave', async () => {
  const server = await serve((response) => sendJson(response, 200, HEARD));
  const { reporter, paused } = reporterTo(server.url, 2);
  reporter.start();
  await paused();
  await reporter.fail('the disk is gone');
  await reporter.stop();
  assert.deepEqual(asked(server), [REGISTER, BEAT, BEAT]);
  assert.equal(
    (JSON.parse(server.requests.at(-1)?.body ?? '') as { fatal: string }).fatal,
    'the disk is gone',
  );
});
