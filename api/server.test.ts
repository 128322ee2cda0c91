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
async function startWith(
  settings: Record<string, string>,
): Promise<{ code: number | null; said: string; logged: Record<string, unknown>[] }> {
  const env = { PATH: process.env['PATH'] ?? '', ...settings };
  const child = spawn(process.execPath, ['--import', 'tsx', SERVER], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [said, written] = [text(child.stderr), text(child.stdout)];
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  const lines = (await written).split('\n').filter((line) => line !== '');
  const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, said: await said, logged };
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

  it('B-SECR-002, B-SECR-005: with a secret in a file that others can read, or that is not there', async () => {
    const { DROVER_API_KEYS: _, ...others } = COMPLETE;
    const [readable, missing] = [SERVER, `${SERVER}-is-not-there`]; // Sources are for everybody to read.
    for (const [path, problem] of [
      [readable, /mode 0\d+, expected 0600/],
      [missing, /is-not-there cannot be read \(ENOENT\)/],
    ] as const) {
      const { code, said } = await startWith({ ...others, DROVER_API_KEYS_FILE: path });
      assert.equal(code, 1);
      assert.match(said, problem);
    }
  });

  it('B-SUPER-029: with a restart policy that contradicts itself', async () => {
    const { code, said } = await startWith({ ...COMPLETE, DROVER_SUPERVISION: '{"cap_ms": 5}' });
    assert.equal(code, 1);
    assert.match(said, /DROVER_SUPERVISION\.cap_ms: must not be below initial_ms/);
  });
});

describe('an API whose restart policy has limits that nothing can reach', () => {
  it('B-SUPER-052: warns of each at its start', async () => {
    const { logged } = await startWith({ ...COMPLETE, DROVER_SUPERVISION: '{"circuit_threshold": 3}' });
    const line = logged.find(({ event }) => event === 'dead_limit');
    assert.deepEqual([line?.['level'], line?.['setting']], ['warn', 'DROVER_SUPERVISION']);
    assert.match(String(line?.['problem']), /^oom_crashes: /);
  });
});
