/** Whether an engine is on the node, and what of the node is missing to make it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, realpath } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EngineOrder, EngineRecord } from '../../contracts/provisioning.js';
import {
  buildFlags,
  programOf,
  providedVersion,
  toolsOf,
  type PackageWish,
  type ProvidedEngine,
} from '../../domain/engine-provision.js';
import type { NodeActivityDeps } from '../deps.js';
import { inspectBinary } from '../engine/inspect-files.js';
import { poolFailure } from '../failures.js';
import { onPath } from '../process/on-path.js';
import { runTool } from '../process/run.js';
import type { EngineFolder } from './engine-folder.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The database of packages answers at once. */
const QUERY_TIMEOUT_MS = 10_000;
const EXECUTABLE = 0o755;

/** The engine by its record, while its program is there. */
export async function recorded(folder: EngineFolder): Promise<ProvidedEngine | undefined> {
  const record = await folder.read();
  const [path] = record?.artifacts ?? [];
  if (record === undefined || path === undefined) return undefined;
  const { problem } = await inspectBinary(path);
  const { id, digest, version } = record;
  return problem === undefined ? { id, path, digest, version } : undefined;
}

/** Tools that the wish takes and the PATH lacks, all of them (B-PREFLIGHT-020). */
export async function missingTools(order: EngineOrder, env: Environment): Promise<string[]> {
  const missing: string[] = [];
  for (const alternatives of toolsOf(order.provisioning, order)) {
    const found = await Promise.all(alternatives.map((tool) => onPath(tool, env)));
    if (found.every((path) => path === undefined)) missing.push(alternatives[0]);
  }
  return missing;
}

/** True where the node has the package, in the version that was asked for. */
export async function isInstalled(
  { package: name, version }: PackageWish,
  env: Environment,
): Promise<boolean> {
  const question = ['--show', '--showformat', '${db:Status-Status} ${Version}', name];
  const { PATH } = env;
  const { ok, stdout } = await runTool('dpkg-query', question, {
    timeoutMs: QUERY_TIMEOUT_MS,
    env: { PATH },
  });
  const [status, found] = stdout.split(' ');
  return ok && status === 'installed' && (version === undefined || version === found);
}

/**
 * Looks at what was made, and tells what it is.
 * @throws ApplicationFailure `ProvisionFailed` when its program is not there, or is none
 */
export async function inspectEngine(
  order: EngineOrder & { engine_id: string },
  folder: EngineFolder,
  { env, now }: Pick<NodeActivityDeps, 'env' | 'now'>,
): Promise<EngineRecord> {
  const { provisioning: wish, pool_id, engine_id: id, engine } = order;
  const path = await programAt(order, folder, env());
  const { problem } =
    path === undefined ? { problem: 'ENOENT: no such file or directory' } : await inspectBinary(path);
  if (path === undefined || problem !== undefined) {
    const name = wish.mode === 'package' ? wish.program : programOf(wish);
    throw poolFailure('ProvisionFailed', `the engine has no program ${name}: ${problem}`, { pool_id });
  }
  const version = providedVersion(wish, order);
  const build_ref = wish.mode === 'source' ? `${wish.repository}@${wish.ref}` : null;
  const build_flags = wish.mode === 'source' ? buildFlags(wish, order) : [];
  const digest = await digestOf(path);
  return { id, engine, version, build_ref, digest, build_flags, artifacts: [path], created_ms: now() };
}

/** Where the program is; undefined where it is not there, or a link leads out of the engine's folder. */
async function programAt(
  { provisioning: wish }: EngineOrder,
  folder: EngineFolder,
  env: Environment,
): Promise<string | undefined> {
  if (wish.mode === 'package') return isAbsolute(wish.program) ? wish.program : onPath(wish.program, env);
  const isPlain = wish.mode === 'binary' && wish.program === undefined;
  const base = wish.mode === 'source' ? folder.build : isPlain ? folder.files : folder.unpacked;
  const path = join(base, programOf(wish));
  const real = await realpath(path).catch(() => undefined);
  if (real?.startsWith((await realpath(base)) + sep) !== true) return undefined;
  // A file that was downloaded is nobody's program yet; nor is every archive's.
  if (wish.mode === 'binary') await chmod(real, EXECUTABLE);
  return path;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}
