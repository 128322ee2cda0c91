/**
 * Drover under test: `npm start`, as anybody runs it, with a state folder and ports of its own. Pragmas, codec,
 * logs and waits are those of the product; only its patience with Temporal is longer.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readStack } from '../../stack/stack-record.js';
import { PACKAGE_ROOT, placesIn } from '../../stack/places.js';
import { freePort } from '../../testing/free-port.js';
import { nowMs } from '../engine/words.js';
import { HttpClient } from '../load/http-client.js';
import type { NamedProcess } from '../measure/processes.js';

/** A running installation. */
export interface Drover {
  stateDir: string;
  api: HttpClient;
  apiKey: string;
  /** Without a key. */
  stranger: HttpClient;
  temporalAddress: string;
  payloadKeys: string;
  /** API, node worker, control worker, Temporal, and what holds them together; engines are not among them. */
  processes: readonly NamedProcess[];
  /** From the command to its last word, "ready". */
  startMs: number;
  /** When each line was said, since the command. */
  lines: readonly SaidLine[];
  apiLog: string;
  stop(): Promise<void>;
}

/** A line of `npm start`. */
export interface SaidLine {
  text: string;
  atMs: number;
}

/** What `npm start` says when all is up. */
const READY = 'Ctrl-C ends it';
/** A machine that is busy with something else shows in the figures; a task refused for it would fail the bench. */
const PATIENT_START_MS = '30000';
/** A cold start builds Temporal. */
const START_LIMIT_MS = 15 * 60_000;
/** Engines have their grace; more means that something hangs. */
const STOP_LIMIT_MS = 60_000;

/** How Drover is started. */
export interface StartOptions {
  stateDir: string;
  /** Checkout; by default this one. */
  root?: string;
  /** Added to the environment. */
  env?: Record<string, string>;
}

/** Starts Drover and waits until it is ready. @throws Error with what it said when it is not */
export async function startDrover({
  stateDir,
  root = PACKAGE_ROOT,
  env = {},
}: StartOptions): Promise<Drover> {
  const environment = {
    ...inherited(),
    ...(await addresses()),
    DROVER_STATE_DIR: stateDir,
    DROVER_START_TIMEOUT_MS: PATIENT_START_MS,
    ...env,
  };
  const beganMs = nowMs();
  const child = spawn('npm', ['start'], { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => stopDrover(child);
  const killed = () => child.kill('SIGTERM');
  process.once('exit', killed);
  child.once('exit', () => process.off('exit', killed));
  try {
    const lines = await untilReady(child, beganMs, `${stateDir}.log`);
    return { ...(await described(stateDir)), lines, startMs: lines.at(-1)?.atMs ?? Number.NaN, stop };
  } catch (err) {
    await stop();
    throw err;
  }
}

async function described(stateDir: string): Promise<Omit<Drover, 'lines' | 'startMs' | 'stop'>> {
  const places = placesIn(stateDir);
  const record = await readStack(places.stackFile);
  if (record === undefined || record === 'unreadable' || record.urls === null) {
    throw new Error(`${places.stackFile} does not say what runs`);
  }
  const secret = async (name: string) => (await readFile(join(stateDir, name), 'utf8')).trim();
  const { owner, guardian, processes, urls } = record;
  const apiKey = await secret('api-key');
  return {
    stateDir,
    api: new HttpClient(urls.api, { 'x-api-key': apiKey }),
    apiKey,
    stranger: new HttpClient(urls.api),
    temporalAddress: urls.temporal,
    payloadKeys: await secret('payload-keys'),
    processes: [
      ...processes.map(({ name, pid }) => ({ name, pid })),
      { name: 'npm start', pid: owner.pid },
      ...(guardian === null ? [] : [{ name: 'guardian', pid: guardian.pid }]),
    ],
    apiLog: places.logFile('api'),
  };
}

function untilReady(child: ChildProcess, beganMs: number, logFile: string): Promise<SaidLine[]> {
  const lines: SaidLine[] = [];
  const log = createWriteStream(logFile, { flags: 'a' });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => fail(`was not ready after ${START_LIMIT_MS} ms`), START_LIMIT_MS);
    for (const output of [child.stdout, child.stderr]) {
      if (output !== null) createInterface({ input: output }).on('line', hear);
    }
    child.once('error', (err) => fail(`could not be run: ${err.message}`));
    child.once('close', (code) => {
      fail(`ended with ${String(code)}`);
      log.end();
    });

    function hear(text: string): void {
      log.write(`${text}\n`);
      lines.push({ text, atMs: nowMs() - beganMs });
      if (!text.includes(READY)) return;
      clearTimeout(late);
      resolve([...lines]);
    }
    function fail(why: string): void {
      clearTimeout(late);
      const said = lines.slice(-20).map(({ text }) => text);
      reject(new Error(`npm start ${why}\n${said.join('\n')}`));
    }
  });
}

async function stopDrover(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await over;
  clearTimeout(late);
}

/** Settings of whoever runs the bench must not change what is measured. */
function inherited(): NodeJS.ProcessEnv {
  const own = (name: string) => !/^(DROVER_(?!CACHE_DIR)|TEMPORAL_)/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => own(name)));
}

async function addresses(): Promise<Record<string, string>> {
  return {
    DROVER_API_PORT: String(await freePort()),
    DROVER_NODE_ADDR: `127.0.0.1:${await freePort()}`,
    DROVER_TEMPORAL_PORT: String(await freePort()),
    DROVER_TEMPORAL_UI_PORT: String(await freePort()),
  };
}
