/**
 * Engines of this node that speak as workers, from their spawn until they serve: who is expected to call back, who has, and how
 * far their models have come. An id that nobody was spawned under is nobody's: a callback never adds an engine (B-WRK-012).
 */
import { createHmac } from 'node:crypto';
import type { WorkerKeeper } from '../../activities/deps.js';
import { engineUrl } from '../../activities/engine/same-launch.js';
import { engineFields } from '../../activities/pool/pool-fields.js';
import type { ReplicaKey } from '../../activities/replica-files.js';
import { DroverError } from '../../contracts/errors.js';
import type { LayersLoaded, LoadingFrame } from '../../contracts/loading.js';
import type { PreparedEngine } from '../../contracts/pool.js';
import type { ReadyCallback } from '../../contracts/worker.js';
import { workerIdOf } from '../../domain/identity.js';
import { isEmbeddedEngine, workerFlags } from '../../domain/launch-flags.js';
import { isWorkerUrl } from '../../domain/worker-url.js';
import { sameSecret } from '../../security/constant-time.js';
import type { Logger } from '../../telemetry/logger.js';
import type { FollowLoading } from './follow-loading.js';

/** Variable that a worker finds its key in: a command line is anybody's to read. */
const KEY_VARIABLE = 'DROVER_WORKER_KEY';

/** What the roll works with. */
export interface WorkerRollDeps {
  nodeId: string;
  /** The node's token as it is now: the keys of its workers come of it, and say nothing about it. */
  token: () => string;
  /** Where workers call back; null while the gateway does not listen. */
  callbackUrl: () => string | null;
  follow: FollowLoading;
  log: Logger;
  now: () => number;
}

/** A worker that loads. */
export interface LoadingWorker {
  readonly worker_id: string;
  readonly prepared: PreparedEngine;
  /** Where it says that it is; null until it has called back. */
  readonly url: string | null;
  readonly loading: LayersLoaded | undefined;
}

interface Entry extends LoadingWorker {
  url: string | null;
  loading: LayersLoaded | undefined;
  readonly key: string;
  readonly expectedAtMs: number;
  readonly ending: AbortController;
}

/** The roll of one node. */
export class WorkerRoll implements WorkerKeeper {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly deps: WorkerRollDeps) {}

  enrol(prepared: PreparedEngine, spawnToken: string): ReturnType<WorkerKeeper['enrol']> {
    const callback_url = this.deps.callbackUrl();
    if (callback_url === null || !isEmbeddedEngine(prepared)) return undefined;
    const worker_id = this.idOf(prepared);
    const key = createHmac('sha256', this.deps.token()).update(`worker:${spawnToken}`).digest('hex');
    const known = this.entries.get(worker_id);
    if (known?.key !== key) {
      known?.ending.abort();
      const expectedAtMs = this.deps.now();
      const ending = new AbortController();
      const heard = { url: null, loading: undefined };
      this.entries.set(worker_id, { worker_id, prepared, key, expectedAtMs, ending, ...heard });
    }
    const { model_ref, backend, device_mask } = prepared;
    const flags = workerFlags({ worker_id, callback_url, model_ref, backend, device_mask });
    return { flags, secrets: { [KEY_VARIABLE]: key } };
  }

  silentMs(replica: ReplicaKey): number | undefined {
    const entry = this.entries.get(this.idOf(replica));
    return entry === undefined || entry.url !== null ? undefined : this.deps.now() - entry.expectedAtMs;
  }

  loading(replica: ReplicaKey): LayersLoaded | undefined {
    return this.entries.get(this.idOf(replica))?.loading;
  }

  forget(replica: ReplicaKey): void {
    const worker_id = this.idOf(replica);
    this.entries.get(worker_id)?.ending.abort();
    this.entries.delete(worker_id);
  }

  /** Every worker that loads. */
  all(): LoadingWorker[] {
    return [...this.entries.values()];
  }

  /** True for the key of a worker that is expected or has called back. */
  hasKey(given: string): boolean {
    return [...this.entries.values()].filter(({ key }) => sameSecret(given, key)).length > 0;
  }

  /**
   * A worker's HTTP server is up (B-WRK-007).
   * @param given - what it showed: its own key, or the token of the node
   * @throws DroverError INVALID_WORKER_URL, WORKER_NOT_FOUND
   */
  calledBack({ worker_id, url, model_ref, backend, device }: ReadyCallback, given: string): void {
    if (!isWorkerUrl(url)) {
      const message = 'the URL of a worker is http:// or https:// with a host and a port';
      throw new DroverError('INVALID_WORKER_URL', message, { details: { worker_id } });
    }
    const entry = this.entries.get(worker_id);
    const isIts =
      entry !== undefined && (sameSecret(given, entry.key) || sameSecret(given, this.deps.token()));
    if (!isIts) throw new DroverError('WORKER_NOT_FOUND', 'no worker of this id was started here');
    const isFirst = entry.url === null;
    entry.url = url;
    const fields = {
      event: 'worker_up',
      ...engineFields(entry.prepared),
      worker_id,
      url,
      model_ref,
      backend,
      device,
    };
    this.deps.log.info(fields, 'a worker is up, and loads its model');
    // Told again where the answer was lost; followed once, and at the address that it was given.
    if (isFirst) void this.follow(entry);
  }

  private async follow(entry: Entry): Promise<void> {
    const { prepared, key, ending, worker_id } = entry;
    const tell = (frame: LoadingFrame) => {
      if (frame.stage !== 'loading_to_vram') return;
      const { layers_loaded, layers_total, vram_mb } = frame;
      entry.loading = { layers_loaded, layers_total, vram_mb };
    };
    try {
      await this.deps.follow({ url: engineUrl(prepared), key }, tell, ending.signal);
    } catch (err) {
      if (ending.signal.aborted) return;
      const fields = { event: 'loading_progress_lost', ...engineFields(prepared), worker_id, err };
      this.deps.log.warn(fields, 'the progress of a worker is not known; its health is polled');
    }
  }

  private idOf({ pool_id, replica_id }: ReplicaKey): string {
    return workerIdOf(this.deps.nodeId, pool_id, replica_id);
  }
}
