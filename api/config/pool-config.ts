/**
 * The pools of the configuration file in one API: read at its start and when it is told to, whole or not at all. A file that
 * cannot be used leaves the one before in force (B-OBS-053).
 */
import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import {
  ConfigFileError,
  loggedConfig,
  readConfigFile,
  type ConfigFile,
} from '../../contracts/config-file.js';
import type { ConfigReload } from '../../contracts/config-reload.js';
import { DroverError } from '../../contracts/errors.js';
import { digestOf, type PoolEntry } from '../../contracts/pool-entry.js';
import { entryChanges } from '../../domain/pool-change.js';
import { story, type Story } from '../../telemetry/narration.js';
import type { RequestContext } from '../request-context.js';
import type { ApplyPools } from './apply-pools.js';

/** The pools of one API's configuration file. */
export interface PoolConfig {
  /** Applies the file as it is at the start of the API; nothing where it has no pools. */
  start(): void;
  /**
   * Reads the file again and begins to apply it.
   * @throws DroverError INVALID_PARAMS with every problem's line and path; the pools stay as they are
   */
  reload(context: RequestContext): ConfigReload;
  /** The same for a signal, which has no answer. */
  hangUp(): void;
  /** Ends what is being applied; operations that were started go on. */
  close(): void;
}

/** What it works with. */
export interface PoolConfigDeps {
  /** Of the file; undefined where none is named. */
  path: string | undefined;
  applyPools: ApplyPools;
  log: FastifyBaseLogger;
  now: () => number;
}

/** Builds it. @throws ConfigFileError when the file is there and cannot be used */
export function createPoolConfig({ path, applyPools, log, now }: PoolConfigDeps): PoolConfig {
  let current = path === undefined ? undefined : readConfigFile(path)?.pools;
  let round = new AbortController();

  function apply(entries: readonly PoolEntry[], news: ReadonlySet<string>, context: RequestContext): void {
    round.abort();
    round = new AbortController();
    applyPools({ entries, news }, context, round.signal).catch((err: unknown) => {
      log.error(
        { err, event: 'config_pools_failed' },
        'the pools of the configuration file were not applied',
      );
    });
  }

  function reload(context: RequestContext): ConfigReload {
    const file = readAgain(path, context, now);
    const changes = entryChanges(digestsOf(current), digestsOf(file.pools));
    const entries = file.pools ?? (current === undefined ? undefined : []);
    current = file.pools;
    const news = changes.filter(({ change }) => change === 'added' || change === 'changed');
    if (entries !== undefined) apply(entries, new Set(news.map(({ pool_id }) => pool_id)), context);
    return { file: file.path, pools: changes };
  }

  const ownContext = (): RequestContext => {
    const correlationId = randomUUID();
    return { correlationId, log: log.child({ correlation_id: correlationId }), identity: null };
  };
  return {
    start: () => {
      if (current !== undefined) apply(current, new Set(), ownContext());
    },
    reload,
    hangUp: () => {
      try {
        reload(ownContext());
      } catch (err) {
        if (!(err instanceof DroverError)) throw err; // Else it is in the log.
      }
    },
    close: () => round.abort(),
  };
}

function readAgain(path: string | undefined, { log }: RequestContext, now: () => number): ConfigFile {
  if (path === undefined)
    throw new DroverError('INVALID_PARAMS', 'no configuration file is named: set DROVER_CONFIG');
  const startedAtMs = now();
  try {
    const file = readConfigFile(path);
    if (file === undefined) throw new DroverError('INVALID_PARAMS', 'the configuration file is gone');
    const duration_ms = now() - startedAtMs;
    const human = `reads the configuration file again, in ${duration_ms} ms`;
    const told = { event: 'config_load', ...configStory(human), ...loggedConfig(file), duration_ms };
    log.info(told, 'configuration file read');
    return file;
  } catch (err) {
    const story = configStory('keeps the configuration from before: the file is wrong');
    const told = {
      err,
      event: 'config_refused',
      ...story,
      error_kind: 'config_validation_failed',
      file: path,
    };
    log.error(told, 'the configuration file cannot be used; the one before stays in force');
    if (!(err instanceof ConfigFileError)) throw err;
    const details = err.problems.map(({ line, path: field, problem }) => ({
      field: field === '' ? 'file' : field,
      problem: line === undefined ? problem : `${problem} (line ${line})`,
    }));
    throw new DroverError(
      'INVALID_PARAMS',
      'the configuration file cannot be used',
      { details },
      { cause: err },
    );
  }
}

function digestsOf(entries: readonly PoolEntry[] | undefined): Map<string, string> {
  return new Map(entries?.map((entry) => [entry.id, digestOf(entry)]));
}

function configStory(human: string): Story {
  return story('orchestratord', 'config_load', 'configuration', human);
}
