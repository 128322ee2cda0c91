/**
 * What the catalogue says of a model that a task asks for: one that is retired, or whose files are not what they should
 * be, gets no new task. The catalogue is kept for a second, and kept longer while the database is away: a task does not
 * need it (design §1).
 */
import { DroverError } from '../../contracts/errors.js';
import { namesOfModel } from '../../domain/model-ref.js';
import type { ModelRecord, Models } from '../../store/models.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Metrics } from '../../telemetry/metrics.js';
import { noLongerThan } from '../no-longer-than.js';
import type { ModelFiles } from './model-files.js';

/** What the gate works with. */
export interface ModelGateDeps {
  models: Pick<Models, 'list'>;
  files: Pick<ModelFiles, 'pathOf'>;
  metrics: Pick<Metrics, 'modelState'>;
  log: Pick<Logger, 'warn'>;
  now: () => number;
}

/** Lets tasks pass. */
export interface ModelGate {
  /** @throws DroverError MODEL_DEPRECATED (B-DP-049) or UNTRUSTED_ARTIFACT (B-DP-050) for a model of any of these names */
  check: (names: readonly (string | null)[]) => Promise<void>;
  /** The catalogue has changed: read it before the next verdict, and bring the gauge up to date. */
  refresh: () => Promise<void>;
}

/** Another API's changes are seen after this. */
const AGE_LIMIT_MS = 1_000;
/** A task waits no longer for the catalogue: what was kept decides. */
const PATIENCE_MS = 250;

/** Builds the gate. */
export function createModelGate({ models, files, metrics, log, now }: ModelGateDeps): ModelGate {
  let refusals = new Map<string, DroverError>();
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const beganAtMs = now();
    try {
      const all = await models.list();
      refusals = new Map(all.flatMap((model) => refusalsOf(model, files)));
      readAtMs = beganAtMs;
      metrics.modelState.reset();
      for (const { id, lifecycle } of all) {
        for (const state of ['Active', 'Retired']) {
          metrics.modelState.set({ model_id: id, state }, Number(state === lifecycle));
        }
      }
    } catch (err) {
      log.warn({ err, event: 'catalog_unread' }, 'the catalogue cannot be read; what was read before holds');
    }
  }

  function readOnce(): Promise<void> {
    reading ??= read().finally(() => (reading = undefined));
    return reading;
  }

  return {
    async check(names) {
      if (now() - readAtMs > AGE_LIMIT_MS) await noLongerThan(PATIENCE_MS, readOnce());
      const refusal = names.map((name) => refusals.get(name ?? '')).find((found) => found !== undefined);
      if (refusal !== undefined) throw refusal;
    },
    async refresh() {
      await reading; // It may have begun before the change.
      await readOnce();
    },
  };
}

function refusalsOf(model: ModelRecord, files: Pick<ModelFiles, 'pathOf'>): [string, DroverError][] {
  const refusal = refusalOf(model);
  if (refusal === undefined) return [];
  const { id, source_url } = model;
  return namesOfModel({ id, local_path: files.pathOf(id), source_url }).map((name) => [name, refusal]);
}

function refusalOf({ lifecycle, verification }: ModelRecord): DroverError | undefined {
  if (lifecycle === 'Retired') return new DroverError('MODEL_DEPRECATED', 'the model is retired');
  if (verification?.reason !== 'mismatch') return undefined;
  return new DroverError('UNTRUSTED_ARTIFACT', "the model's files are not what its digest says");
}
