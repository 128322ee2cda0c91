/** What is done with models of the catalogue (control-plane 6). */
import { DroverError } from '../../contracts/errors.js';
import type {
  ModelFilter,
  Lifecycle,
  ModelAvailability,
  ModelEntry,
  ModelRequest,
  TrustMode,
} from '../../contracts/model.js';
import { providerOf } from '../../domain/model-source.js';
import { judgeTrust } from '../../domain/trust.js';
import type { ModelRecord, Models } from '../../store/models.js';
import type { CallContext } from '../clients/node-link.js';
import type { RequestContext } from '../request-context.js';
import type { DrainPool } from '../tasks/drain.js';
import type { PoolBoard } from '../tasks/pool-board.js';
import type { ModelFiles } from './model-files.js';
import type { ModelGate } from './model-gate.js';
import type { ModelRemoval } from './remove-model.js';
import { modelNotFound, type Verifier } from './verify-model.js';

/** What the catalogue works with. */
export interface CatalogDeps {
  models: Models;
  files: ModelFiles;
  gate: ModelGate;
  verifier: Verifier;
  removal: ModelRemoval;
  board: PoolBoard;
  drainPool: DrainPool;
  /** What this deployment asks of every model. */
  trustMode: TrustMode;
  /** Where a node is. */
  addressOf: (nodeId: string) => string | undefined;
}

/** The catalogue, as its routes use it. */
export type Catalog = ReturnType<typeof createCatalog>;

/** Builds the catalogue. */
export function createCatalog(deps: CatalogDeps) {
  const { models, files, gate, verifier, removal, board, drainPool, addressOf } = deps;
  const entryOf = (record: ModelRecord): ModelEntry => ({ ...record, local_path: files.pathOf(record.id) });
  const found = (record: ModelRecord | undefined): ModelEntry => {
    if (record === undefined) throw modelNotFound();
    return entryOf(record);
  };

  return {
    /** @throws DroverError UNTRUSTED_ARTIFACT when it does not show what is asked of it */
    async save(request: ModelRequest, asked: TrustMode | undefined, { log }: RequestContext) {
      const before = await models.get(request.id);
      const warnings = requireTrust({ ...before, ...request }, [deps.trustMode, asked]);
      const entry = entryOf(await models.save(request));
      await gate.refresh();
      if (warnings.length > 0)
        log.warn({ event: 'model_untrusted', model_id: entry.id, warnings }, 'model accepted');
      return { ...entry, warnings };
    },

    /** @throws DroverError MODEL_NOT_FOUND */
    get: async (id: string) => found(await models.get(id)),

    list: async ({ provider }: ModelFilter) => {
      const isMeant = (url: string | null) => provider === undefined || providerOf(url) === provider;
      return (await models.list()).filter(({ source_url }) => isMeant(source_url)).map(entryOf);
    },

    /** @throws DroverError MODEL_NOT_FOUND */
    async verify(id: string) {
      const { record, running } = await verifier.verify(id);
      return { ...entryOf(record), running };
    },

    /** New tasks are refused at once; with a deadline the pools that serve a retired model are drained. */
    async setState(id: string, state: Lifecycle, deadlineMs: number | undefined, context: RequestContext) {
      const entry = found(await models.setLifecycle(id, state));
      await gate.refresh();
      const pools =
        state === 'Retired' && deadlineMs !== undefined ? await removal.poolsServing(entry, context) : [];
      const drains = pools.map((poolId) =>
        drainPool({ poolId, deadlineMs: deadlineMs ?? 0, waitMs: 0 }, context).then(
          () => [poolId],
          (err: unknown) => {
            context.log.warn({ err, event: 'retire_drain_failed', pool_id: poolId }, 'could not drain');
            return [];
          },
        ),
      );
      return { ...entry, draining_pools: (await Promise.all(drains)).flat() };
    },

    /** Entry and files. @throws DroverError MODEL_NOT_FOUND; MODEL_IN_USE naming the pools (B-CAT-043) */
    async remove(id: string, call: CallContext): Promise<void> {
      const entry = found(await models.get(id));
      const pools = await removal.poolsServing(entry, call);
      if (pools.length > 0)
        throw new DroverError('MODEL_IN_USE', `pools serve the model: ${pools.join(', ')}`);
      await removal.remove(id);
      await gate.refresh();
    },

    /** Which node serves what now (B-CAT-052). */
    async availability(call: CallContext): Promise<ModelAvailability> {
      const reports = await board.reports(call);
      const rows = reports.map(({ nodeId, pools }) => {
        const served = (pools ?? []).map((pool) => ({
          pool_id: pool.pool_id,
          ready: pool.ready,
          models: pool.live ? [pool.model_name ?? pool.model_ref].filter((name) => name !== null) : [],
        }));
        return {
          node_id: nodeId,
          address: addressOf(nodeId) ?? '',
          online: pools !== undefined,
          models: sorted(served.flatMap((pool) => pool.models)),
          pools: served.sort((a, b) => (a.pool_id < b.pool_id ? -1 : 1)),
        };
      });
      const names = sorted(rows.flatMap((row) => row.models));
      const nodesWith = (name: string) => rows.filter((row) => row.models.includes(name)).length;
      return {
        nodes: Object.fromEntries(rows.map((row) => [row.node_id, row])),
        total_models: names.length,
        replicated_models: names.filter((name) => rows.length > 1 && nodesWith(name) === rows.length),
        single_node_models: names.filter((name) => nodesWith(name) === 1),
      };
    },
  };
}

const sorted = (names: readonly string[]): string[] => [...new Set(names)].sort();

/**
 * A header, a setting and the model's own policy each may ask for more than the others, never for less (C-130).
 * @returns what is let pass all the same
 * @throws DroverError UNTRUSTED_ARTIFACT when the model does not show what is asked of it
 */
export function requireTrust(
  model: Partial<ModelRecord> | ModelRequest,
  modes: readonly (TrustMode | undefined)[],
): string[] {
  const { problems, warnings } = trustOf(model, modes);
  if (problems.length === 0) return warnings;
  throw new DroverError('UNTRUSTED_ARTIFACT', `the model is refused: ${problems.join(', ')}`);
}

function trustOf(model: Partial<ModelRecord> | ModelRequest, modes: readonly (TrustMode | undefined)[]) {
  const { digest = null, source_url = null, signatures = [], sbom = null, trust_policy: policy } = model;
  return judgeTrust(
    { digest, sourceUrl: source_url, signatures, hasSbom: sbom !== null },
    {
      strict: [...modes, policy?.mode].includes('strict'),
      requireSignature: policy?.require_signature ?? false,
      requireSbom: policy?.require_sbom ?? false,
      allowedRegistries: policy?.allowed_registries ?? [],
    },
  );
}
