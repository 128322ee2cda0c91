/**
 * The node's registry on disk, spawn records and drain marks: where its folder cannot be used, an operation fails with that
 * reason before anything is started that nobody could find again (B-API-013, C-041).
 */
import { access, constants, mkdir } from 'node:fs/promises';
import type { NodeActivityDeps } from './deps.js';
import { poolFailure, systemReason } from './failures.js';
import { poolFields } from './pool/pool-fields.js';

type Deps = Pick<NodeActivityDeps, 'pools' | 'paths' | 'log'>;

/**
 * Runs `work` on the folder of the registry, made when missing.
 * @throws ApplicationFailure `RegistryUnavailable` with the system's reason, retryable: a disk may have room again
 */
export async function inRegistry({ pools, paths, log }: Deps, pool_id: string, work?: () => Promise<void>) {
  try {
    await mkdir(paths.runtimeDir, { recursive: true, mode: 0o700 });
    await access(paths.runtimeDir, constants.R_OK | constants.W_OK);
    await work?.();
  } catch (cause) {
    const message = `the registry of this node cannot be used: ${systemReason(cause)}`;
    const fields = { event: 'registry_unavailable', ...poolFields(pools, pool_id), last_error: message };
    log.error({ ...fields, err: cause }, message);
    throw poolFailure('RegistryUnavailable', message, { pool_id }, { cause });
  }
}
