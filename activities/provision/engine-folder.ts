/**
 * One engine's folder in the node's cache: `work` is its makers', who may be another user than the worker; what the worker
 * notes of it, and what it downloads, stands beside it, so that no maker can lead it elsewhere.
 */
import { createHash } from 'node:crypto';
import { access, chown, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { engineRecord, type EngineOrder, type EngineRecord } from '../../contracts/provisioning.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import type { ProvisionStep } from '../../domain/engine-provision.js';
import { parseJson } from '../../domain/json.js';
import { writeAtomically } from '../write-atomically.js';

/** Engines may run as another user: they are read, and passed through, by whoever. */
const OPEN = 0o755;

/** Places of one engine. */
export interface EngineFolder {
  /** What its makers write: source, build, what was unpacked; also their home. */
  work: string;
  source: string;
  build: string;
  unpacked: string;
  /** What was downloaded. */
  files: string;
  log: (step: ProvisionStep) => string;
  /** Names the program that makes it now. */
  running: string;
  /** Makes the folders. */
  prepare: (user: { uid: number; gid: number } | null) => Promise<void>;
  isDone: (step: ProvisionStep) => Promise<boolean>;
  markDone: (step: ProvisionStep) => Promise<void>;
  /** Removes what a step has left half. */
  discard: (step: ProvisionStep) => Promise<void>;
  read: () => Promise<EngineRecord | undefined>;
  write: (record: EngineRecord) => Promise<void>;
}

/** The same for the same wish and target, another for another (B-PROV-005). */
export function engineIdOf({ provisioning, engine, backend }: EngineOrder): string {
  const digest = createHash('sha256').update(canonicalJson({ provisioning, engine, backend })).digest('hex');
  return `${engine}-${provisioning.mode}-${digest.slice(0, 16)}`;
}

/** The folder of an engine below `dir`. */
export function engineFolder(dir: string, engineId: string): EngineFolder {
  const at = (...parts: string[]) => join(dir, engineId, ...parts);
  const record = at('engine.json');
  const done = (step: ProvisionStep) => at(`${step}.done`);
  const [source, build, unpacked] = [at('work', 'source'), at('work', 'build'), at('work', 'unpacked')];
  // What was built in part is built on; a download goes on from what is there.
  const half: Partial<Record<ProvisionStep, string>> = {
    'git-clone': source,
    'cmake-configure': build,
    unpack: unpacked,
  };
  return {
    ...{ work: at('work'), source, build, unpacked, files: at('files'), running: at('running.json') },
    log: (step) => at(`${step}.log`),
    async prepare(user) {
      await mkdir(at('files'), { recursive: true, mode: OPEN });
      await mkdir(at('work', 'tmp'), { recursive: true, mode: OPEN });
      if (user === null) return;
      for (const path of [at('work'), at('work', 'tmp')]) await chown(path, user.uid, user.gid);
    },
    isDone: (step) =>
      access(done(step)).then(
        () => true,
        () => false,
      ),
    markDone: (step) => writeAtomically(done(step), ''),
    async discard(step) {
      const path = half[step];
      if (path !== undefined) await rm(path, { recursive: true, force: true });
    },
    async read() {
      const text = await readFile(record, 'utf8').catch(() => undefined);
      return text === undefined ? undefined : engineRecord.safeParse(parseJson(text)).data;
    },
    write: (written) => writeAtomically(record, `${JSON.stringify(written, null, 2)}\n`),
  };
}
