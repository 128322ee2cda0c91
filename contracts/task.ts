/**
 * `POST /v2/tasks` and what it answers (data-plane 1). Wire spelling is kept as the contract has it.
 */
import { z } from 'zod';
import { TASK_ID_PATTERN, POOL_ID_PATTERN } from '../domain/identity.js';
import { isModelRef } from '../domain/model-ref.js';
import { TASK_STATES } from '../domain/task.js';
import { errorEnvelope } from './errors.js';
import { plainText } from './safe-text.js';

const INT32_MAX = 2_147_483_647;
/** No limit of an execution is longer (B-DP-185). */
export const LONGEST_RUN_MS = 1_800_000;

/** Likeliest tokens that may be asked for in the place of each. */
export const MOST_LOGPROBS = 20;

/** Task and session ids; the message never repeats the bad value (B-DP-045). */
export const taskId = z
  .string()
  .regex(TASK_ID_PATTERN, 'must be 1 to 128 letters, digits, ".", "_", ":" or "-"')
  .meta({ id: 'TaskId', examples: ['6f9619ff-8b86-4d01-b42d-00cf4fc964ff'] });

/** Pool ids. */
export const poolId = z.string().regex(POOL_ID_PATTERN, 'must be 1 to 128 letters, digits, ".", "_" or "-"');

/** A model as clients of `/v1` ask for it: its name, or its reference. */
export const modelName = plainText(1024).meta({ examples: ['demo'] });

/** Engines that a pool may run; `openai` is any other server of that protocol (design §7). */
export const engineKind = z.enum(['llamacpp', 'vllm', 'tgi', 'triton', 'openai']).meta({ id: 'EngineKind' });

/** Engine kind's type. */
export type EngineKind = z.infer<typeof engineKind>;

/** Interactive tasks are dispatched before batch tasks (B-DP-063). */
export const priority = z.enum(['interactive', 'batch']);

const placement = z
  .object({
    mode: z.enum(['pin', 'prefer', 'auto']).default('auto'),
    pin_pool_id: poolId.optional(),
    prefer_pools: z.array(poolId).max(64).optional(),
    avoid_pools: z.array(poolId).max(64).optional(),
    require_device_mask: plainText(256).optional(),
    allow_fallback: z.boolean().default(true),
  })
  .meta({ id: 'Placement' });

/** Sampling beyond temperature and top_p, handed to the engine as it is; an engine may ignore what it does not know. */
const sampling = z
  .object({
    top_k: z.int().min(0).optional(),
    min_p: z.number().min(0).max(1).optional(),
    presence_penalty: z.number().min(-2).max(2).optional(),
    frequency_penalty: z.number().min(-2).max(2).optional(),
  })
  .meta({ id: 'Sampling' });

/** What the answer must look like: free text, any JSON object, or JSON of a schema. */
export const responseFormat = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('text') }),
    z.object({ type: z.literal('json_object') }),
    z.object({
      type: z.literal('json_schema'),
      json_schema: z.object({
        name: z.string().max(64).optional(),
        description: z.string().max(1024).optional(),
        schema: z.record(z.string(), z.unknown()),
        strict: z.boolean().nullish(),
      }),
    }),
  ])
  .meta({ id: 'ResponseFormat' });

/** What a task may ask of its engine. */
export const workload = z.enum(['completion', 'embedding', 'rerank']);

/** Workload's type. */
export type Workload = z.infer<typeof workload>;

/** Inputs that one task may have, as OpenAI's service bounds them. */
export const MOST_INPUTS = 2048;

/** Body of `POST /v2/tasks`. Rules on single values carry the code they are refused with in `refusalOf`. */
export const taskRequest = z
  .object({
    task_id: taskId,
    session_id: taskId,
    workload,
    model_ref: z
      .string()
      .max(1024)
      .refine(isModelRef, 'must be a catalogue name or hf:, file:, https:, s3:, oci: reference')
      .meta({ examples: ['demo', 'file:/models/qwen.gguf'] }),
    engine: engineKind,
    ctx: z
      .int()
      .min(0, 'ctx must be >= 0')
      .max(INT32_MAX)
      .meta({ description: '0 takes the context of the pool' }),
    priority,
    max_tokens: z.int().min(1, 'max_tokens must be > 0').max(INT32_MAX),
    deadline_ms: z.int().min(1, 'deadline_ms must be > 0').meta({ description: 'relative to admission' }),
    wall_ms: z.int().min(1).max(LONGEST_RUN_MS).optional().meta({
      description: "longest execution; else the pool's `timeouts.wall_ms`, else `DROVER_RUN_LIMIT_MS`",
    }),
    seed: z.int().optional(),
    determinism: z.enum(['strict', 'best_effort']).optional(),
    sampler_profile_version: plainText(128).optional(),
    prompt: z.string().optional().meta({ description: 'of a completion; the query of workload `rerank`' }),
    inputs: z.array(z.string()).max(MOST_INPUTS).optional().meta({
      description:
        'texts of workload `embedding`, documents of workload `rerank`: one `token` frame answers each',
    }),
    expected_tokens: z.int().min(0).max(INT32_MAX).optional(),
    kv_hint: z.enum(['reuse', 'cold']).optional(),
    placement: placement.optional(),
    output_mode: plainText(64).optional(),
    temperature: z.number().min(0).max(2).optional(),
    top_p: z.number().gt(0).max(1).optional(),
    stop: z.array(z.string().min(1).max(256)).max(16).optional(),
    sampling: sampling.optional(),
    response_format: responseFormat.optional(),
    logprobs: z.int().min(0).max(MOST_LOGPROBS).optional().meta({
      description: 'tells how likely each token was, and so many of the likeliest in its place',
    }),
    may_wait: z.boolean().optional().meta({
      description:
        'false: refused with `REPLICA_EXHAUSTED` where no engine has a free slot for it now; by default it waits',
    }),
    cancel_on_disconnect: z.boolean().optional().meta({
      description: 'true: cancel once the last reader of the stream has been away for 5 s',
    }),
  })
  .meta({ id: 'TaskRequest' });

/** A task as asked for, checked. */
export type TaskRequest = z.infer<typeof taskRequest>;

/** One step of what has to be made ready before a task can run (B-DP-080). */
export const preparationStep = z
  .object({
    id: z.string(),
    kind: z.enum(['engine_provision', 'model_fetch', 'pool_warmup']),
    group: z.enum(['engine', 'model', 'pool']),
    description: z.string(),
    estimated_ms: z.int().optional(),
    bytes_total: z.int().optional(),
    status: z.enum(['pending', 'running', 'completed', 'failed']),
  })
  .meta({ id: 'PreparationStep' });

/** What admission promised; recorded with the run and the same in every later answer (B-DP-023). */
export const admission = z
  .object({
    queue_position: z.int().min(0),
    predicted_start_ms: z.int().min(0),
    backoff_ms: z.int().min(0),
    preparation: z.object({ steps: z.array(preparationStep) }),
  })
  .meta({ id: 'Admission' });

/** Admission's type. */
export type Admission = z.infer<typeof admission>;

/** Body of the 202. */
export const taskAccepted = z
  .object({
    task_id: taskId,
    ...admission.shape,
    streams: z.object({ sse: z.string(), sse_verbose: z.string() }),
  })
  .meta({ id: 'TaskAccepted' });

/** Body of `GET /v2/tasks/{id}` (B-DP-220). */
export const taskStatus = z
  .object({
    task_id: taskId,
    state: z.enum(TASK_STATES),
    pool_id: z.string(),
    replica_id: z.string().nullable(),
    node_id: z.string(),
    engine: z.string(),
    engine_version: z.string().nullable(),
    model_ref: z.string(),
    priority,
    queue_position: z.int().nullable().meta({ description: 'current place while queued, else null' }),
    admission,
    admitted_at_ms: z.int(),
    started_at_ms: z.int().nullable(),
    first_token_at_ms: z.int().nullable(),
    ended_at_ms: z.int().nullable(),
    tokens_in: z.int().nullable(),
    tokens_out: z.int(),
    stop_reason: z.string().nullable(),
    error: errorEnvelope.nullable(),
    transcript_artifact_id: z.string().nullable(),
    correlation_id: z.string(),
  })
  .meta({ id: 'TaskStatus' });

/** Task status' type. */
export type TaskStatus = z.infer<typeof taskStatus>;
