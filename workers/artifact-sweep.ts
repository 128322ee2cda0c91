/** The control worker forgets old artifacts now and then. Any number of them may do it; none holds anything. */
import type { Settings } from '../contracts/settings.js';
import type { ArtifactFiles } from '../store/artifact-files.js';
import { collectArtifacts } from '../store/collect-artifacts.js';
import type { Store } from '../store/open-store.js';
import type { Logger } from '../telemetry/logger.js';

/** Begins to sweep; the returned function ends it, after the sweep that runs. */
export function sweepArtifacts(
  { db, files }: { db: Store['db']; files: ArtifactFiles | undefined },
  settings: Settings,
  log: Logger,
): () => Promise<void> {
  const deps = { db, files, now: Date.now };
  const retention = {
    ageMs: settings.DROVER_ARTIFACT_RETENTION_MS,
    limitBytes: settings.DROVER_ARTIFACT_LIMIT_BYTES,
  };
  let running: Promise<void> | undefined;
  const sweep = async () => {
    try {
      const count = await collectArtifacts(deps, retention);
      if (count > 0) log.info({ event: 'artifacts_forgotten', count }, 'forgot old artifacts');
    } catch (err) {
      log.warn(
        { err, event: 'artifact_sweep_failed' },
        'could not forget old artifacts; the next sweep tries again',
      );
    }
  };
  const timer = setInterval(() => {
    running ??= sweep().finally(() => (running = undefined));
  }, settings.DROVER_ARTIFACT_SWEEP_INTERVAL_MS);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
