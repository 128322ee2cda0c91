import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newPayloadKey } from '../security/payload-keys.js';

const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url));
const COMPLETE = {
  DROVER_API_KEYS: 'a-key-that-is-long-enough',
  DROVER_NODE_TOKEN: 'a-token-that-is-long-enough',
  DROVER_PAYLOAD_KEYS: newPayloadKey(),
  DROVER_API_PORT: '0',
  TEMPORAL_ADDRESS: '127.0.0.1:1',
};

/** Starts the API with nothing but these settings; resolves when it has ended. */
async function startWith(settings: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const env = { PATH: process.env['PATH'] ?? '', ...settings };
  const child = spawn(process.execPath, ['--import', 'tsx', SERVER], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = text(child.stderr);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { code, said: await said };
}

describe('an API that cannot start says in one line what to do, and ends with code 1', () => {
  it('with a Temporal that accepts and says nothing, after a bounded time', async () => {
    const mute = createServer();
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as { port: number };
    const beganAt = Date.now();
    const { code, said } = await startWith({ ...COMPLETE, TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    mute.close();
    assert.equal(code, 1);
    assert.match(said, /Temporal does not answer at 127\.0\.0\.1:\d+/);
    assert.ok(Date.now() - beganAt < 30_000);
  });
});
