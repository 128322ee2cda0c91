import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { before, test } from 'node:test';
import { readSettings } from '../contracts/settings.js';
import { newPayloadKey } from '../security/payload-keys.js';
import { createLogger } from '../telemetry/logger.js';
import { freePort } from '../testing/free-port.js';
import { StartError } from './run-process.js';
import {
  connectTemporal,
  installTemporalRuntime,
  requirePayloadKeys,
  temporalAddress,
  temporalDataConverter,
} from './temporal.js';

const LIMIT_MS = 700;

before(() => installTemporalRuntime(createLogger('test', 'silent')));

async function startErrorOf(address: string): Promise<{ message: string; tookMs: number }> {
  const startedAt = performance.now();
  const settings = readSettings({ TEMPORAL_ADDRESS: address });
  const err = await connectTemporal(settings, LIMIT_MS).then(
    () => assert.fail('it connected'),
    (cause: unknown) => cause,
  );
  assert.ok(err instanceof StartError, String(err));
  return { message: err.message, tookMs: performance.now() - startedAt };
}

test('a Temporal that nobody runs stops the start with one line: where it was looked for, and what to do', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const { message } = await startErrorOf(address);
  assert.equal(
    message,
    `Temporal does not answer at ${address}. Start it, or set TEMPORAL_ADDRESS to the host:port of its frontend.`,
  );
});

test('a server that accepts the connection and then says nothing does not hold the start', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy(); // Else the attempt that was given up would go on.
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const { message, tookMs } = await startErrorOf(`127.0.0.1:${port}`);
  assert.match(message, /does not answer/);
  assert.ok(tookMs < LIMIT_MS + 5_000, `${tookMs} ms`);
});

test('Temporal is looked for where it is set, else where npm start runs it', () => {
  assert.equal(temporalAddress(readSettings({ TEMPORAL_ADDRESS: 'cluster:7233' })), 'cluster:7233');
  assert.equal(temporalAddress(readSettings({ DROVER_TEMPORAL_PORT: '7300' })), '127.0.0.1:7300');
});

test('without payload keys, or with wrong ones, a process does not start, and repeats no key', () => {
  assert.throws(() => requirePayloadKeys(readSettings({})), /DROVER_PAYLOAD_KEYS is not set/);
  const secret = 'bm90IDMyIGJ5dGVz';
  assert.throws(
    () => requirePayloadKeys(readSettings({ DROVER_PAYLOAD_KEYS: `k1:${secret}` })),
    (err) => err instanceof StartError && /payload key 1/.test(err.message) && !err.message.includes(secret),
  );
});

test('the data converter seals, and names a failure converter that is there', () => {
  const settings = readSettings({ DROVER_PAYLOAD_KEYS: newPayloadKey() });
  const { payloadCodecs, failureConverterPath } = temporalDataConverter(requirePayloadKeys(settings));
  assert.equal(payloadCodecs?.length, 1);
  assert.ok(existsSync(failureConverterPath ?? ''), failureConverterPath);
});
