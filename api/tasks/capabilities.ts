/** What can be asked for now, from what the nodes report and nothing else; worked out anew when that has changed (C-133). */
import { createHash } from 'node:crypto';
import type { Capabilities } from '../../contracts/meta.js';
import type { PoolHealth } from '../../contracts/pool.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import type { CallContext } from '../clients/node-link.js';
import type { ReadPools } from './pool-health.js';

/** What the capabilities are worked out from. */
export interface CapabilitiesDeps {
  readPools: ReadPools;
  apiVersion: string;
  maxOutputTokens: number;
  now: () => number;
}

/** Reads the capabilities; the same object until a pool, an engine or a model changes. */
export type ReadCapabilities = (call: CallContext) => Promise<Capabilities>;

/**
 * What every engine that we drive can do: it is the adapter's and the stream's doing, not the engine's. Whether it can use
 * tools is its model's doing, and is said when they are asked for.
 */
const FEATURES = { streaming: true, resume: true, cancel: true, token_ids: true };
/** Until an engine has been asked: what nearly all do. */
const USUAL_WORKLOADS = ['completion'];

/** Builds the reader. */
export function createCapabilities({
  readPools,
  apiVersion,
  maxOutputTokens,
  now,
}: CapabilitiesDeps): ReadCapabilities {
  let kept: { digest: string; snapshot: Capabilities } | undefined;
  return async function readCapabilities(call) {
    const engines = enginesOf(await readPools.list(call), maxOutputTokens);
    const digest = createHash('sha256').update(canonicalJson(engines)).digest('hex');
    if (kept?.digest === digest) return kept.snapshot;
    const snapshot = { api_version: apiVersion, snapshot_ms: now(), engines };
    kept = { digest, snapshot };
    return snapshot;
  };
}

function enginesOf(pools: readonly PoolHealth[], maxOutputTokens: number): Capabilities['engines'] {
  const serving = pools.filter(({ ready }) => ready);
  const kinds = sorted(serving.map(({ engine }) => engine));
  return kinds.map((engine) => {
    const own = serving.filter((pool) => pool.engine === engine);
    const workloads = sorted(own.flatMap((pool) => pool.workloads ?? USUAL_WORKLOADS));
    return {
      engine,
      engine_versions: sorted(own.map(({ engine_version }) => engine_version)),
      ctx_max: Math.max(...own.map(({ ctx_max }) => ctx_max ?? 0)),
      max_tokens_out: maxOutputTokens,
      concurrency: own.reduce((sum, { slots_total }) => sum + (slots_total ?? 0), 0),
      supported_workloads: workloads,
      features: {
        ...FEATURES,
        embeddings: workloads.includes('embedding'),
        rerank: workloads.includes('rerank'),
      },
      rate_limits: {},
      models: sorted(own.map(({ model_name, model_ref }) => model_name ?? model_ref)),
      pools: sorted(own.map(({ pool_id }) => pool_id)),
    };
  });
}

/** Each known value once. */
function sorted(values: readonly (string | null)[]): string[] {
  return [...new Set(values.filter((value) => value !== null))].sort();
}
