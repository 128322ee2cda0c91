/** The pools that the bench loads beside `default`: the same synthetic engine, with many slots or with one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { preparedEngine, type PreparedEngine } from '../../contracts/pool.js';
import { placesIn } from '../../stack/places.js';
import { eventually } from '../../testing/changes.js';
import { freePort } from '../../testing/free-port.js';
import { HttpClient } from '../load/http-client.js';
import { BENCH_MODEL } from '../load/subjects.js';
import type { Drover } from './start-drover.js';

/** A pool and the engine that serves it. */
export interface BenchPool {
  id: string;
  pid: number;
  /** The engine itself. */
  engine: HttpClient;
  /** What it was loaded with. */
  prepared: PreparedEngine;
}

/** Program of the engine. */
const PROGRAM = fileURLToPath(new URL('../engine/main.js', import.meta.url));
/** Prompt and the longest answer of the bench fit; preflight counts slots x context against free memory. */
const CONTEXT = 1_024;
/** Longer than any operation on these pools. */
const PRELOAD_WAIT_MS = 60_000;

/** How the engine is started. */
export function engineLaunch(port: number): { binary: string; flags: string[] } {
  return { binary: process.execPath, flags: [PROGRAM, '--host', '127.0.0.1', '--port', String(port)] };
}

/** Loads a pool through the API, as an operator would. */
export async function loadPool(drover: Drover, id: string, slots: number): Promise<BenchPool> {
  const prepared = await preparePool(drover, id, slots);
  await preload(drover, prepared, false);
  return {
    id,
    pid: await enginePid(drover.stateDir, id),
    engine: new HttpClient(`http://127.0.0.1:${prepared.port}`),
    prepared,
  };
}

/** Keeps the launch of a pool on demand, which the first task wakes. */
export async function layPool(drover: Drover, id: string): Promise<void> {
  await preload(drover, { ...(await preparePool(drover, id, 1)), on_demand: true }, true);
}

async function preload({ api }: Drover, prepared: PreparedEngine, asleep: boolean): Promise<void> {
  const { pool_id: id } = prepared;
  const body = { prepared, asleep, wait_ms: PRELOAD_WAIT_MS };
  const { status, text } = await api.send({ method: 'POST', path: `/v2/pools/${id}/preload`, body });
  if (status !== 200) throw new Error(`preload of ${id}: ${status} ${text}`);
}

async function preparePool(drover: Drover, id: string, slots: number): Promise<PreparedEngine> {
  const port = await freePort();
  const { binary, flags } = engineLaunch(port);
  // The engine reads no file, but preflight wants to see a model.
  const model = join(placesIn(drover.stateDir).modelDir, 'demo.gguf');
  return preparedEngine.parse({
    pool_id: id,
    engine_version: 'bench',
    provisioning_mode: 'package',
    binary_path: binary,
    flags,
    port,
    port_fixed: true,
    model_path: model,
    model_ref: BENCH_MODEL,
    model_name: BENCH_MODEL,
    backend: 'cpu',
    slots_total: slots,
    ctx_max: CONTEXT,
  });
}

/** Takes a pool out of service and ends its engine. */
export async function unloadPool({ api }: Drover, id: string): Promise<void> {
  const body = { deadline_ms: 0, wait_ms: PRELOAD_WAIT_MS };
  const { status, text } = await api.send({ method: 'POST', path: `/v2/pools/${id}/drain`, body });
  if (status !== 200) throw new Error(`drain of ${id}: ${status} ${text}`);
}

/** Pid of a pool's engine. */
export async function enginePid(stateDir: string, pool: string): Promise<number> {
  return Number(await readFile(join(stateDir, 'node', `${pool}.pid`), 'utf8'));
}

/** Waits until the pool serves and the API says so, whatever has died before. */
export async function untilServing({ api }: Drover, pool: string): Promise<void> {
  await eventually(
    () => `pool ${pool} to serve`,
    async () => {
      const answer = await api
        .send({ method: 'GET', path: `/v2/pools/${pool}/health` })
        .catch(() => undefined);
      if (answer?.status !== 200) return undefined; // The API, or its node, is not back yet.
      return (JSON.parse(answer.text) as { ready: boolean }).ready ? true : undefined;
    },
  );
}

/** Waits until no task holds a slot of the pool. */
export async function untilIdle({ api }: Drover, pool: string): Promise<void> {
  await eventually(
    () => `pool ${pool} to be idle`,
    async () => {
      const { text } = await api.send({ method: 'GET', path: `/v2/pools/${pool}/health` });
      const { active_leases } = JSON.parse(text) as { active_leases: number };
      return active_leases === 0 ? true : undefined;
    },
  );
}
