/**
 * Which engine the pool `default` runs, and on what: llama.cpp's own server where it is named or on PATH, else the
 * embedded engine; the GPU where there is one, else `backend: cpu`, written out and said (no silent CPU, design §5).
 */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { runTool } from '../activities/process/run.js';
import { preparedEngine, type PreparedEngine } from '../contracts/pool.js';
import type { Settings } from '../contracts/settings.js';
import { serverFlags } from '../domain/launch-flags.js';
import type { Model } from './model.js';
import { PACKAGE_ROOT, PROGRAMS } from './places.js';
import { nextFreePort } from './ports.js';
import { StackError } from './stack-error.js';

/** Pool that `npm start` preloads. */
export const DEFAULT_POOL = 'default';
/** First port that is tried for its engine; engines listen on this machine only. */
const FIRST_ENGINE_PORT = 9300;
const ENGINE_HOST = '127.0.0.1';
/** A driver that hangs must not hang the start. */
const LOOK_LIMIT_MS = 10_000;

/** An engine to preload, and how to speak of it. */
export interface EngineChoice {
  prepared: PreparedEngine;
  /** For people: `the embedded engine`, `llama-server (/usr/bin/llama-server)`. */
  title: string;
}

/**
 * Chooses the engine of the pool `default`.
 * @throws StackError when the named one cannot be run
 */
export async function chooseEngine(settings: Settings, model: Model): Promise<EngineChoice> {
  const backend = await chooseBackend();
  const server = await findServer(settings.DROVER_ENGINE_BINARY);
  const port = await nextFreePort(ENGINE_HOST, FIRST_ENGINE_PORT);
  const isServer = server !== undefined;
  const flags = engineFlags(settings, model, { port, isServer, offload: backend === 'cuda' && isServer });
  const prepared = preparedEngine.parse({
    pool_id: DEFAULT_POOL,
    engine_version: await (server === undefined ? embeddedVersion() : serverVersion(server)),
    provisioning_mode: server === undefined ? 'package' : 'binary',
    binary_path: server ?? process.execPath,
    flags: server === undefined ? [PROGRAMS.embeddedEngine, ...flags] : flags,
    host: ENGINE_HOST,
    port,
    model_path: model.path,
    model_ref: model.ref,
    model_name: model.name,
    backend,
    env: libraryPath(server),
    slots_total: slotsOf(settings),
    ctx_max: settings.DROVER_POOL_CTX,
  });
  return { prepared, title: server === undefined ? 'the embedded engine' : `llama-server (${server})` };
}

/**
 * Arguments of llama-server, which the embedded engine shares. Threads: one core is left to the rest, because llama.cpp's
 * threads spin and starve each other on a full machine.
 */
function engineFlags(
  settings: Settings,
  model: Model,
  { port, isServer, offload }: { port: number; isServer: boolean; offload: boolean },
): string[] {
  const { DROVER_POOL_DETERMINISTIC: isDeterministic, DROVER_POOL_CTX: ctx } = settings;
  const slots = slotsOf(settings);
  const { path, alias } = model;
  return [
    ...serverFlags({ model: path, alias, host: ENGINE_HOST, port, ctx, slots, offload }),
    ...['--threads', String(Math.max(1, availableParallelism() - 1))],
    // The embedded engine has neither: with one slot it has nothing to batch.
    ...(isDeterministic && isServer ? ['--no-cont-batching', '--no-webui'] : []),
    // A llama-server that others chose is started for embeddings by their own flags: it wants to know how to pool.
    ...(isServer ? [] : ['--embeddings']),
  ];
}

/** What is computed beside a task changes how its numbers are rounded: a deterministic pool has one slot (B-PROV-006). */
function slotsOf({ DROVER_POOL_DETERMINISTIC: isDeterministic, DROVER_POOL_SLOTS: slots }: Settings): number {
  return isDeterministic ? 1 : slots;
}

/** A llama-server of one's own build may find its libraries by this variable alone; engines inherit nothing unnamed. */
function libraryPath(server: string | undefined): Record<string, string> {
  const path = process.env['LD_LIBRARY_PATH'];
  return server === undefined || path === undefined ? {} : { LD_LIBRARY_PATH: path };
}

/** What engines run on here, where nobody has said. */
export async function chooseBackend(): Promise<'cuda' | 'cpu'> {
  return (await hasGpu()) ? 'cuda' : 'cpu';
}

/** True when NVIDIA's tool is there and lists a GPU. */
async function hasGpu(): Promise<boolean> {
  if ((await onPath('nvidia-smi')) === undefined) return false;
  const { ok, stdout } = await runTool('nvidia-smi', ['-L'], { timeoutMs: LOOK_LIMIT_MS });
  return ok && stdout.includes('GPU ');
}

async function findServer(named: string | undefined): Promise<string | undefined> {
  if (named === undefined) return onPath('llama-server');
  const path = resolve(named);
  if (await isExecutable(path)) return path;
  throw new StackError(
    `DROVER_ENGINE_BINARY: ${path} is no program that can be run; name a llama-server, or unset it`,
  );
}

async function onPath(program: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter((entry) => entry !== '')) {
    const path = join(folder, program);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function serverVersion(path: string): Promise<string> {
  const { ok, stdout, stderr } = await runTool(path, ['--version'], { timeoutMs: LOOK_LIMIT_MS });
  const version = /version:\s*(\S+)/.exec(`${stdout}\n${stderr}`)?.[1];
  return ok && version !== undefined ? version : 'unknown';
}

async function embeddedVersion(): Promise<string> {
  const folder = dirname(PROGRAMS.embeddedEngine).replace(join(PACKAGE_ROOT, 'dist'), PACKAGE_ROOT);
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    version?: string;
  };
  return version ?? 'unknown';
}
