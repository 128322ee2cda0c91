/** Models of the catalogue (control-plane 6): what is known of each, and where its files are. */
import { z } from 'zod';
import { PROVIDERS } from '../domain/model-source.js';
import { poolId } from './task.js';

/** Also a file's name in the model cache, so no part of a path. */
const MODEL_ID = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$/;

/** Id of a model; the words for a missing one are the contract's (B-CAT-002). */
export const modelId = z
  .string({ error: (issue) => (issue.input === undefined ? 'id required' : 'must be a string') })
  .min(1, 'id required')
  .regex(MODEL_ID, 'must be 1 to 128 letters, digits, ".", "_", ":", "@" or "-", and no path')
  .refine((id) => !id.includes('..'), 'must be no path');

/** Lengths in hex of the digests that can be computed. */
const HEX_LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** `algorithm:value`; lower-case hex of the right length where the algorithm is one that we compute (B-CAT-003). */
export const modelDigest = z
  .string()
  .regex(/^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]{1,256}$/, 'must be <algorithm>:<value>')
  .refine((digest) => {
    const [algorithm = '', value = ''] = digest.split(':');
    const length = HEX_LENGTHS[algorithm];
    return length === undefined || (value.length === length && /^[0-9a-f]+$/.test(value));
  }, 'must be lower-case hex of the length of its algorithm')
  .meta({ examples: [`sha256:${'0'.repeat(64)}`] });

const trustMode = z.enum(['strict', 'permissive']);

/** Trust mode's type. */
export type TrustMode = z.infer<typeof trustMode>;

/** What a model must show before it is accepted. */
export const trustPolicy = z
  .object({
    mode: trustMode.default('permissive'),
    allowed_registries: z.array(z.string().max(256)).max(64).default([]),
    require_signature: z.boolean().default(false),
    require_sbom: z.boolean().default(false),
    ca_roots: z.array(z.string().max(16_384)).max(16).default([]),
  })
  .meta({ id: 'TrustPolicy' });

/** Header that asks for strictness; it cannot ask for less (C-130). */
export const trustHeader = z.looseObject({ 'x-trust-policy': trustMode.optional() });

/** What a client may say of a model. */
const described = {
  digest: modelDigest.nullable(),
  source_url: z.url().max(2048).nullable(),
  tags: z.array(z.string().max(256)).max(64),
  manifests: z.array(z.object({ digest: modelDigest, size_bytes: z.int().min(0) })).max(1024),
  signatures: z
    .array(
      z.object({
        signer: z.string().max(256),
        algo: z.string().max(64),
        verified: z.boolean(),
        timestamp_ms: z.int().min(0),
      }),
    )
    .max(64),
  sbom: z.object({ uri: z.string().max(2048), digest: modelDigest }).nullable(),
  trust_policy: trustPolicy.nullable(),
};

/** Body of `POST /v2/catalog/models`. */
export const modelRequest = z
  .object({ id: modelId, ...z.object(described).partial().shape })
  .meta({ id: 'ModelRequest' });

/** Model request's type. */
export type ModelRequest = z.infer<typeof modelRequest>;

const lifecycle = z.enum(['Active', 'Retired']);

/** Lifecycle's type. */
export type Lifecycle = z.infer<typeof lifecycle>;

const verification = z.object({
  result: z.enum(['pass', 'fail']),
  reason: z.enum(['match', 'no_expected_digest', 'mismatch', 'files_missing', 'unsupported_digest']),
  digest: z.string().nullable().meta({ description: 'of what is there' }),
});

/** Verification's type. */
export type Verification = z.infer<typeof verification>;

/** A model as the catalogue has it. */
export const modelEntry = z
  .object({
    id: z.string(),
    ...described,
    local_path: z.string(),
    lifecycle,
    last_verified_ms: z.int().nullable(),
    verification: verification.nullable().meta({ description: 'how the last verification ended' }),
    created_ms: z.int(),
  })
  .meta({ id: 'Model' });

/** Model entry's type. */
export type ModelEntry = z.infer<typeof modelEntry>;

/** Body of the 201: the entry, and what was let pass. */
export const modelCreated = modelEntry.extend({ warnings: z.array(z.string()) }).meta({ id: 'ModelCreated' });

/** Which models are meant; without a provider all are. */
export const modelFilter = z.object({
  provider: z.enum(PROVIDERS).optional().meta({ description: 'who they come from, by their `source_url`' }),
});

/** Model filter's type. */
export type ModelFilter = z.infer<typeof modelFilter>;

/** Body of `GET /v2/catalog/models`. */
export const modelList = z.object({ models: z.array(modelEntry) }).meta({ id: 'ModelList' });

/** Body of the 202 of a verification. */
export const verificationAccepted = modelEntry
  .extend({ running: z.boolean().meta({ description: 'true: the files are still being read' }) })
  .meta({ id: 'VerificationAccepted' });

/** Body of `POST /v2/catalog/models/{id}/state`. */
export const stateRequest = z
  .object({
    state: lifecycle,
    deadline_ms: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'with `Retired`: pools that serve the model are drained within this time' }),
  })
  .meta({ id: 'ModelStateRequest' });

/** Body of its 202. */
export const stateAccepted = modelEntry
  .extend({ draining_pools: z.array(poolId) })
  .meta({ id: 'ModelStateAccepted' });

/** Body of `GET /v2/catalog/availability`: which node serves what. */
export const modelAvailability = z
  .object({
    nodes: z.record(
      z.string(),
      z.object({
        node_id: z.string(),
        address: z.string(),
        online: z.boolean(),
        models: z.array(z.string()),
        pools: z.array(z.object({ pool_id: z.string(), ready: z.boolean(), models: z.array(z.string()) })),
      }),
    ),
    total_models: z.int(),
    replicated_models: z.array(z.string()).meta({ description: 'on every node, where there are several' }),
    single_node_models: z.array(z.string()),
  })
  .meta({ id: 'ModelAvailability' });

/** Model availability's type. */
export type ModelAvailability = z.infer<typeof modelAvailability>;
