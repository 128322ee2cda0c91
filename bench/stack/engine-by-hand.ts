/** The baseline of every start of an engine: the same program without Drover, as a shell would start it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../testing/free-port.js';
import { nowMs } from '../engine/words.js';
import { HttpClient } from '../load/http-client.js';
import { engineLaunch } from './bench-pools.js';

/** By hand the engine is asked so often; Drover asks every 500 ms after the first poll. */
const POLL_MS = 5;

/** Milliseconds from spawn until the engine is healthy and has generated a token. */
export async function startByHand(): Promise<number> {
  const port = await freePort();
  const { binary, flags } = engineLaunch(port);
  const beganMs = nowMs();
  const child = spawn(binary, flags, { stdio: 'ignore' });
  const engine = new HttpClient(`http://127.0.0.1:${port}`);
  try {
    while (!(await isHealthy(engine))) await delay(POLL_MS);
    await engine.send({ method: 'POST', path: '/completion', body: { prompt: [1], n_predict: 1 } });
    return nowMs() - beganMs;
  } finally {
    engine.close();
    await end(child);
  }
}

async function isHealthy(engine: HttpClient): Promise<boolean> {
  try {
    return (await engine.send({ method: 'GET', path: '/health' })).status === 200;
  } catch {
    return false; // It does not listen yet.
  }
}

async function end(child: ChildProcess): Promise<void> {
  const over = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await over;
}
