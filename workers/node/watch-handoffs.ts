/**
 * Engines that others started announce themselves by a handoff file (pool-lifecycle 11). The folder is scanned again and
 * again: what is new is bound once it has answered health and generated a token; what has changed is bound anew; what has
 * stopped answering is unbound. A replica with a spawn record is our own preload's business and is left to it.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodePaths } from '../../activities/deps.js';
import type { EngineAdapter } from '../../activities/engine/adapters/engine-adapter.js';
import { engineFields } from '../../activities/pool/pool-fields.js';
import { removeFile } from '../../activities/remove-file.js';
import { replicaFiles } from '../../activities/replica-files.js';
import { readAnnouncement, type Announcement } from '../../contracts/handoff.js';
import type { EngineKind } from '../../contracts/task.js';
import { mixedSetProblem, type ReplicaVersions } from '../../domain/replica-set.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import { withOwnCorrelation } from '../../telemetry/correlation.js';
import type { Logger } from '../../telemetry/logger.js';
import { answersHealth, generates, HEALTH_LIMIT_MS } from './engine-health.js';
import type { PoolRegistry, Replica } from './pool-registry.js';

/** How the processing of a file ended, as `pool_handoff_files_processed_total` counts it. */
export type HandoffOutcome = 'bound' | 'rebound' | 'unhealthy' | 'refused' | 'invalid';

/** What the watch works with. */
export interface HandoffWatchDeps {
  paths: NodePaths;
  pools: Pick<PoolRegistry, 'get' | 'ready' | 'running' | 'seen' | 'dropReplica'>;
  adapterOf: (kind: EngineKind, url: string) => EngineAdapter;
  /** Why an engine at this url may not be spoken to; undefined when it may (B-BG-025). */
  hostProblem: (url: string) => string | undefined;
  /** Removes a file once its engine is bound; the binding then stands as long as the engine answers (C-033). */
  autoDelete: boolean;
  processed: (poolId: string, outcome: HandoffOutcome, durationMs: number) => void;
  log: Logger;
  now: () => number;
}

/** A binding of this watch. */
interface Bound {
  file: string;
  told: Announcement;
  content: string;
  adapter: EngineAdapter;
  /** Health polls in a row that failed. */
  misses: number;
}

/** An engine whose file is there may miss so many polls in a row but one: a busy engine may answer late (B-SUPER-002). */
const MISSES_ALLOWED = 3;
/** Who tells the story of a binding (B-NARR-001). */
const ACTOR = 'node';

/** The watch over a node's handoff folder. */
export class HandoffWatch {
  private readonly bound = new Map<string, Bound>();
  /** By file: what was last said against it, so that it is said once (B-BG-013). */
  private readonly told = new Map<string, string>();
  private scanning: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: HandoffWatchDeps) {}

  /** Scans now, and every `intervalMs` from now on. */
  start(intervalMs: number): void {
    void this.scan();
    this.timer = setInterval(() => void withOwnCorrelation(() => this.scan()), intervalMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all([...this.bound.values()].map(({ adapter }) => adapter.close()));
  }

  /** One scan; one that takes longer than the interval is not overtaken. */
  scan(): Promise<void> {
    this.scanning ??= this.scanOnce().finally(() => (this.scanning = undefined));
    return this.scanning;
  }

  /** A scan that sees what stands in the folder now. */
  async scanNow(): Promise<void> {
    await this.scanning;
    await this.scan();
  }

  private async scanOnce(): Promise<void> {
    try {
      const files = await this.files();
      await Promise.all(files.map((file) => this.process(file, files)));
      await Promise.all([...this.bound].map(([key, bound]) => this.keepOrDrop(key, bound, files)));
      for (const file of this.told.keys()) if (file !== '' && !files.includes(file)) this.told.delete(file);
    } catch (err) {
      this.deps.log.error({ event: 'handoff_scan_failed', err }, 'scan of the handoffs failed');
    }
  }

  /** The handoffs; a folder that is not there yet holds none (B-BG-018). */
  private async files(): Promise<string[]> {
    try {
      const names = await readdir(this.deps.paths.handoffDir);
      this.told.delete('');
      return names.filter((name) => name.endsWith('.json') && !name.startsWith('.')).sort();
    } catch (err) {
      const { code = 'unknown' } = err as { code?: string };
      if (code !== 'ENOENT') this.warnOnce('', { problem: `the folder cannot be read: ${code}` });
      return [];
    }
  }

  private async process(file: string, files: readonly string[]): Promise<void> {
    const startedAtMs = this.deps.now();
    const text = await readFile(join(this.deps.paths.handoffDir, file), 'utf8').catch(() => undefined);
    if (text === undefined) return; // It went between two looks.
    const read = readAnnouncement(text);
    if ('problem' in read) return this.reject(file, '', 'invalid', read.problem, startedAtMs);
    const { announcement: told } = read;
    if (existsSync(replicaFiles(this.deps.paths, told).spawnRecord)) return;
    const key = keyOf(told);
    const content = canonicalJson(told);
    const before = this.bound.get(key);
    if (before?.content === content) return;
    const problem =
      before !== undefined && before.file !== file && files.includes(before.file)
        ? `${before.file} names the same replica`
        : (this.deps.hostProblem(told.url) ?? mixedSetProblem(told, this.othersOf(told)));
    if (problem !== undefined) return this.reject(file, told.pool_id, 'refused', problem, startedAtMs);
    await this.bind({ file, told, content, before, startedAtMs });
  }

  /** The engines that serve beside it. */
  private othersOf({ pool_id, replica_id }: Announcement): ReplicaVersions[] {
    const replicas = this.deps.pools.get(pool_id)?.replicas ?? new Map<string, Replica>();
    return [...replicas].flatMap(([id, { engine }]) => (id === replica_id ? [] : [engine.prepared]));
  }

  private async bind(found: {
    file: string;
    told: Announcement;
    content: string;
    before: Bound | undefined;
    startedAtMs: number;
  }): Promise<void> {
    const { file, told, content, before, startedAtMs } = found;
    const { pools, log, processed, now } = this.deps;
    const { url, slots_free: _, ...prepared } = told;
    const { pool_id, engine } = told;
    const adapter = this.deps.adapterOf(engine, url);
    const problem = (await answersHealth(adapter))
      ? await generates(adapter)
      : 'it does not answer its health';
    if (problem !== undefined) {
      await adapter.close();
      return this.reject(file, pool_id, 'unhealthy', `${url}: ${problem}`, startedAtMs);
    }
    await before?.adapter.close();
    const slotsFree = await slotsOf(told, adapter);
    pools.ready({ prepared, url, pid: null, startTicks: null, slotsFree });
    this.bound.set(keyOf(told), { file, told, content, adapter, misses: 0 });
    this.told.delete(file);
    if (this.deps.autoDelete) await removeFile(join(this.deps.paths.handoffDir, file));
    const outcome = before === undefined ? 'bound' : 'rebound';
    const duration_ms = now() - startedAtMs;
    processed(pool_id, outcome, duration_ms);
    const human = `binds the ${engine} engine that a handoff announces, and gives its pool work`;
    const story = { actor: ACTOR, action: 'autobind', target: pool_id, human };
    log.info({ event: 'handoff_bound', ...story, ...engineFields(told), url, outcome, duration_ms }, human);
  }

  /** A binding stands while its engine answers: it may miss a few polls while its file is there, none without it (B-BG-017). */
  private async keepOrDrop(key: string, bound: Bound, files: readonly string[]): Promise<void> {
    const { pool_id, replica_id, url } = bound.told;
    const { pools, log } = this.deps;
    // What somebody else took away, a drain for one, stays away until its handoff changes.
    if (pools.running(pool_id, replica_id)?.url !== url) return;
    bound.misses = (await answersHealth(bound.adapter)) ? 0 : bound.misses + 1;
    if (bound.misses === 0) return pools.seen(pool_id);
    const isThere = files.includes(bound.file);
    if (bound.misses < (isThere ? MISSES_ALLOWED : 1)) return;
    this.bound.delete(key);
    await bound.adapter.close();
    const last_error = isThere
      ? `the engine at ${url} has not answered ${bound.misses} health polls in a row`
      : `the handoff ${bound.file} is gone and the engine at ${url} does not answer`;
    log.warn({ event: 'handoff_unbound', ...engineFields(bound.told), url, last_error }, 'engine unbound');
    pools.dropReplica(pool_id, replica_id, last_error);
  }

  private reject(
    file: string,
    pool_id: string,
    outcome: HandoffOutcome,
    problem: string,
    startedAtMs: number,
  ): void {
    if (!this.warnOnce(file, { pool_id, outcome, problem })) return;
    this.deps.processed(pool_id, outcome, this.deps.now() - startedAtMs);
  }

  private warnOnce(
    file: string,
    why: { pool_id?: string; outcome?: HandoffOutcome; problem: string },
  ): boolean {
    if (this.told.get(file) === why.problem) return false;
    this.told.set(file, why.problem);
    this.deps.log.warn({ event: 'handoff_skipped', file, ...why }, `handoff skipped: ${why.problem}`);
    return true;
  }
}

function keyOf({ pool_id, replica_id }: Announcement): string {
  return `${pool_id}/${replica_id}`;
}

/** Slots that are ours: those left to us, else all; of an engine that was announced without, what it says itself (C-032). */
async function slotsOf(told: Announcement, adapter: EngineAdapter): Promise<number | null> {
  const announced = told.slots_free ?? told.slots_total;
  if (announced !== null) return announced;
  return (await adapter.props(AbortSignal.timeout(HEALTH_LIMIT_MS))).slots_total;
}
