import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '../../testing/free-port.js';
import { eventually } from '../../testing/changes.js';
import { startFakeEngine } from '../../testing/started-engine.js';
import { parseListeners, portOwner } from './port-owner.js';

test('the listeners of a port are read from the kernel table, other states and ports left out', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0',
    '   1: 0100007F:1F40 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0',
    '   2: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0',
    '   3: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 444 1',
  ].join('\n');
  assert.deepEqual(parseListeners(table, 8_000), ['111', '444']);
});

test('B-PRELOAD-017: a port is ours when the group, or whoever carries the token, listens on it', async (t) => {
  const port = await freePort();
  const engine = await startFakeEngine(t, ['--port', String(port)], 'owner');
  await eventually(
    () => 'the engine to listen',
    async () => ((await portOwner(port, engine.pid, 'owner')) === 'unknown' ? undefined : true),
  );
  assert.equal(await portOwner(port, engine.pid, undefined), 'ours');
  assert.equal(await portOwner(port, process.pid, 'owner'), 'ours');
  assert.equal(await portOwner(port, 1, 'another token'), 'foreign');
});

test('a port on which nobody is seen to listen tells nothing', async () => {
  assert.equal(await portOwner(await freePort(), process.pid, 'any'), 'unknown');
});
