/**
 * Engine logs are bounded (B-PROC-023). An engine writes to a raw descriptor that outlives every worker, so its log cannot
 * be moved away from under it: it is copied to `.log.1` and emptied, and the engine, which appends, goes on at the new end.
 * What it writes between copy and cut is lost; an operator who needs every line gives the engine a log of its own.
 */
import { copyFile, readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../telemetry/logger.js';

/** What the watch works with. */
export interface BoundLogsDeps {
  runtimeDir: string;
  /** A log beyond this size is cut; the one before it is kept. */
  limitBytes: number;
  log: Logger;
}

/** An engine that logs 100 MB/s is found within a gigabyte; a look costs one `stat` an engine. */
const LOOK_INTERVAL_MS = 10_000;
const ENGINE_LOG = /^engine-.+\.log$/;

/** Starts looking; the returned function ends it. */
export function boundLogs(deps: BoundLogsDeps): () => void {
  const timer = setInterval(() => void cutLogs(deps), LOOK_INTERVAL_MS).unref();
  return () => {
    clearInterval(timer);
  };
}

/** Cuts every engine log that is too large. */
export async function cutLogs({ runtimeDir, limitBytes, log }: BoundLogsDeps): Promise<void> {
  const names = (await readdir(runtimeDir).catch(() => [])).filter((name) => ENGINE_LOG.test(name));
  for (const file of names) {
    try {
      const path = join(runtimeDir, file);
      const { size } = await stat(path);
      if (size <= limitBytes) continue;
      await copyFile(path, `${path}.1`);
      await truncate(path);
      log.info({ event: 'engine_log_cut', file, bytes: size }, 'engine log cut');
    } catch (err) {
      log.warn({ event: 'engine_log_not_cut', file, err }, 'engine log cannot be cut');
    }
  }
}
