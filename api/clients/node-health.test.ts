import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { freePort } from '../../testing/free-port.js';
import { ScriptedServer, sendJson, type Answerer } from '../../testing/scripted-server.js';
import { createAskNodeHealth, NODE_ATTEMPT_MS } from './node-health.js';

const CALL = { correlationId: 'c-1' };
const ALIVE = { status: 'alive', version: '0.1.0', api_version: 'v1' };

const servers: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function asked(answer: Answerer | undefined, attemptMs?: number) {
  const server = answer === undefined ? undefined : await ScriptedServer.start(answer);
  if (server !== undefined) servers.push(server);
  const url = server?.url ?? `http://127.0.0.1:${await freePort()}`;
  const waits: number[] = [];
  const ask = createAskNodeHealth({
    addressOf: (id) => (id === 'n-1' ? url : undefined),
    pause: (ms) => Promise.resolve(waits.push(ms)),
    ...(attemptMs === undefined ? {} : { attemptMs }),
  });
  const outcome = await ask('n-1', CALL).catch((err: unknown) => err);
  return { outcome, waits, server, ask };
}

function refusalIn(outcome: unknown) {
  assert.ok(outcome instanceof DroverError, String(outcome));
  return outcome.toEnvelope();
}

test('B-NODE-031, B-HTTP-008: a node that does not answer is asked three times, 0, 200 and 400 ms apart, 10 s each, then given up with advice', async () => {
  assert.equal(NODE_ATTEMPT_MS, 10_000);
  const silent = await asked(() => undefined, 80);
  for (const { outcome, waits } of [await asked(undefined), silent]) {
    const { code, hint, details } = refusalIn(outcome);
    assert.deepEqual(
      [code, waits, details],
      ['CONNECTION_TIMEOUT', [200, 400], { node_id: 'n-1', attempts: 3 }],
    );
    assert.match(hint ?? '', /node worker runs/);
  }
  assert.equal(silent.server?.to('/v1/health').length, 3);
});

test('B-NODE-031: one that answers in the end is there', async () => {
  const { outcome, waits } = await asked((response, _request, count) =>
    count < 3 ? void response.destroy() : sendJson(response, 200, ALIVE),
  );
  assert.deepEqual([outcome, waits], [ALIVE, [200, 400]]);
});

test('B-NODE-032: an answer that is no JSON is one error with its place, and is asked for once', async () => {
  for (const [text, position] of [
    ['<html>not ours</html>', 0],
    ['{"status": "alive", oops}', 20],
  ] as const) {
    const { outcome, waits, server } = await asked((response) => void response.end(text));
    const { code, details, retriable, message } = refusalIn(outcome);
    assert.deepEqual([code, retriable, details], ['JSON_PARSE_ERROR', false, { node_id: 'n-1', position }]);
    assert.equal(message.includes('ours'), false);
    assert.deepEqual([waits, server?.requests.length], [[], 1]);
  }
});

test('a node that nobody knows is told as such', async () => {
  const { ask } = await asked(undefined);
  await assert.rejects(ask('n-2', CALL), { code: 'NODE_NOT_REGISTERED' });
});
