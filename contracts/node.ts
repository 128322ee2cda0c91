/**
 * The node gateway: what the API and the workflows ask of a node over HTTP with the node token.
 *
 * | route | for |
 * |---|---|
 * | `POST /runs` body {@link runOffer} | offer a task: 202 {@link runView}, or the envelope that refuses it |
 * | `POST /runs/:task_id/confirm` | Temporal has the task: 200 {@link runView}; 404, 410 after a withdrawal |
 * | `POST /runs/:task_id/withdraw` | the offer is void, for 10 minutes also for those that ask later: 204 |
 * | `PUT /runs/:task_id?wait_ms=n` body {@link placedRun} | a workflow's (re-)attachment: offer and confirm in one idempotent step, then wait for the end, at most n ms: 200 {@link runView} |
 * | `GET /runs/:task_id` | 200 {@link runView} |
 * | `GET /runs/:task_id/frames?from=n` | frames with offset >= n, one JSON object a line, until the run has ended; empty lines keep the connection alive; the header {@link NEXT_OFFSET_HEADER} tells how many frames the log held, {@link BUDGETS_HEADER} what the session had left |
 * | `POST /runs/:task_id/abandon` | the last reader at one API has left: a run that asked for it is cancelled after a grace, unless a reader comes: 204 |
 * | `POST /runs/:task_id/cancel` body {@link cancelRun} | answers when the slot is free: 200 {@link runView} |
 * | `POST /runs/:task_id/fence` body {@link fenceRun} | the task goes to another node: its run here stops for good, 200 {@link fencedRun} |
 * | `GET /pools` | 200 {@link nodePools} |
 * | `PUT /pools/:pool_id/replicas/:replica_id` | an engine that others run is to be bound: 200 {@link engineAnnounced} |
 * | `GET /workers` | its engines one by one: 200 {@link nodeWorkers} |
 * | `GET /workers/:pool_id/:replica_id/health` | how one answers for its health now: 200 {@link workerHealth} |
 * | `POST /pools/:pool_id/tokens` body {@link countTokens} | how many tokens the pool's engine cuts an input into: 200 {@link tokenCount} |
 * | `GET /v1/health` | whether the node worker is there: 200, without a token |
 * | `GET /v1/backends`, `GET /v1/resources` | what pools of the node may compute on; its memory and disk, with warnings |
 * | `GET /devices` | 200 {@link nodeDevices} |
 * | `GET /pools/:id/status`, `GET /health`, `GET /metrics` | pool-lifecycle 1 |
 *
 * A node that is out of touch with Temporal answers 503 where it would have to know whether a task is still its own.
 *
 * Headers: `Authorization: Bearer <node token>` on all but `/health` and `/metrics`; `X-Correlation-Id` and those of {@link traceIds} pass through.
 */
import { z } from 'zod';
import { frame } from './events.js';
import { admission, poolId, priority, taskId, taskRequest } from './task.js';
import { errorEnvelope } from './errors.js';
import { responseWishes } from './responses.js';
import { budgets } from './session.js';
import { TASK_STATES } from '../domain/task.js';
import { poolStatus } from './pool.js';
import { toolCall, toolUse } from './tools.js';
import { traceIds } from './trace.js';

/** Of the answer with a run's frames: the offset of the first that was yet to come when it began. */
export const NEXT_OFFSET_HEADER = 'x-next-offset';

/** Of the same answer: what the task's session had left at admission, in JSON. */
export const BUDGETS_HEADER = 'x-budgets';

/** One turn of a chat: what was said, what tools an answer called, and which call a tool's turn answers. */
const chatTurn = z.object({
  role: z.string(),
  content: z.string(),
  tool_calls: z.array(toolCall).optional(),
  tool_call_id: z.string().optional(),
});

/** What a task's engine shall complete: plain text, token ids, or chat turns that the engine's own template renders. */
export const runInput = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('text'), text: z.string() }),
  z.object({ kind: z.literal('ids'), ids: z.array(z.int().min(0)) }),
  z.object({
    kind: z.literal('chat'),
    messages: z.array(chatTurn),
    tool_use: toolUse.optional(),
  }),
]);

/** Run input's type. */
export type RunInput = z.infer<typeof runInput>;

/** Texts, or their token ids, whose vectors are asked for. */
export const embeddingInput = z.object({
  kind: z.literal('embedding'),
  inputs: z.array(z.union([z.string(), z.array(z.int().min(0))])),
  dimensions: z.int().min(1).optional(),
});

/** Embedding input's type. */
export type EmbeddingInput = z.infer<typeof embeddingInput>;

/** Documents whose fit to a query is asked for. */
export const rerankInput = z.object({
  kind: z.literal('rerank'),
  query: z.string(),
  documents: z.array(z.string()),
});

/** Rerank input's type. */
export type RerankInput = z.infer<typeof rerankInput>;

/** What a task's engine is given, whatever its workload. */
export const taskInput = z.discriminatedUnion('kind', [...runInput.options, embeddingInput, rerankInput]);

/** Task input's type. */
export type TaskInput = z.infer<typeof taskInput>;

/** True for what is to be completed; anything else is inputs that are answered one by one. */
export function isPrompt(input: TaskInput): input is RunInput {
  return input.kind !== 'embedding' && input.kind !== 'rerank';
}

/** Turns of a chat, and the tools that the answer may call. */
export type ChatInput = Extract<RunInput, { kind: 'chat' }>;

/** The client protocol that a task came by, so that any API can go on with its stream in the same words. */
export const dialect = z.object({
  object: z.enum(['chat.completion', 'text_completion', 'message', 'response']),
  include_usage: z.boolean(),
  response: responseWishes.optional(),
});

/** Dialect's type. */
export type Dialect = z.infer<typeof dialect>;

/** A task placed on a node. The same object is the workflow's input, so that Temporal alone can bring the task back. */
export const runOffer = z.object({
  task_id: taskId,
  pool_id: poolId,
  epoch: z.int().min(1),
  digest: z.string().meta({ description: 'SHA-256 of the canonical request, 64 hex characters' }),
  correlation_id: z.string(),
  trace: traceIds.optional(),
  request: taskRequest,
  deadline_at_ms: z.int().optional().meta({
    description: 'instant by which it must have ended, wherever it runs; absent in older records',
  }),
  input: taskInput,
  fit_context: z
    .boolean()
    .optional()
    .meta({ description: 'max_tokens is a ceiling, not a wish: the context may be full before it' }),
  dialect: dialect.optional(),
  budgets: budgets
    .extend({ token_price: z.number() })
    .optional()
    .meta({ description: 'what the session had left at admission, and what each token takes of it' }),
});

/** A run offer's type. */
export type RunOffer = z.infer<typeof runOffer>;

/** A task as its workflow places it: with what it has shown at an earlier node, where that is known. */
export const placedRun = runOffer.extend({ past: z.array(frame).optional() });

/** A placed run's type. */
export type PlacedRun = z.infer<typeof placedRun>;

/** How a run stands: the body of `GET /v2/tasks/{id}` is made from it. */
export const runView = z.object({
  task_id: z.string(),
  node_id: z.string(),
  pool_id: z.string(),
  replica_id: z.string().nullable(),
  epoch: z.int(),
  digest: z.string(),
  confirmed: z.boolean(),
  state: z.enum(TASK_STATES),
  ended: z.boolean(),
  engine: z.string(),
  engine_version: z.string().nullable(),
  model_ref: z.string(),
  priority,
  queue_position: z.int().nullable(),
  admission,
  admitted_at_ms: z.int(),
  started_at_ms: z.int().nullable(),
  first_token_at_ms: z.int().nullable(),
  ended_at_ms: z.int().nullable(),
  tokens_in: z.int().nullable(),
  tokens_out: z.int(),
  stop_reason: z.string().nullable(),
  error: errorEnvelope.nullable(),
  next_offset: z.int(),
  correlation_id: z.string(),
  dialect: dialect
    .nullable()
    .meta({ description: 'told to whom asks how a run stands; no other answer repeats it' }),
});

/** A run view's type. */
export type RunView = z.infer<typeof runView>;

/** Body of `POST /runs/:task_id/fence`. */
export const fenceRun = z.object({ epoch: z.int().min(2) });

/** Answer to a fence: how the run stands, which ends here unless it had ended before, and every frame that it has shown. */
export const fencedRun = z.object({ run: runView, frames: z.array(frame) });

/** A fenced run's type. */
export type FencedRun = z.infer<typeof fencedRun>;

/** Body of `POST /runs/:task_id/cancel`. */
export const cancelRun = z.object({
  reason: z.enum(['client', 'disconnect', 'deadline', 'watchdog', 'admin']),
});

/** Body of `GET /pools`. */
export const nodePools = z.object({ node_id: z.string(), pools: z.array(poolStatus) });

/** What a node reports of its pools. */
export type NodePools = z.infer<typeof nodePools>;

/** Body of `POST /pools/:pool_id/tokens`. */
export const countTokens = z.object({ input: runInput });

/** Its answer. */
export const tokenCount = z.object({ tokens: z.int().min(0) });

/** Body of `GET /devices`: the node's GPUs when the driver last listed them (B-PREFLIGHT-015). */
export const nodeDevices = z.object({
  devices: z.array(
    z.object({
      index: z.string(),
      uuid: z.string().nullable(),
      name: z.string(),
      compute_capability: z.string().nullable(),
      vram_total_bytes: z.int().nullable(),
      vram_free_bytes: z.int().nullable(),
      temperature_celsius: z.int().nullable().default(null),
      mig_devices: z.array(z.string()).readonly(),
    }),
  ),
  problem: z
    .string()
    .nullable()
    .meta({ description: 'why the driver did not answer when it was last asked' }),
  seen_at_ms: z.int().nullable(),
});

/** What a node knows of its GPUs. */
export type NodeDevices = z.infer<typeof nodeDevices>;

/** Input of the workflow `inferTask`: the offer as the node took it, and which node that was. */
export interface InferTaskInput extends RunOffer {
  node_id: string;
}

/** Input of `followRun`. */
export interface FollowRunInput extends InferTaskInput {
  /** The node has said that it has the run: one that does not know it any more has lost it. */
  is_known?: boolean;
  /** While it waits, never begun, in a pool that is drained, the following ends: its workflow looks for another pool. */
  may_leave?: boolean;
}

/** Where a task goes. */
export interface Destination {
  node_id: string;
  pool_id: string;
}

/** Input of `moveTask`. */
export interface MoveTaskInput extends InferTaskInput {
  /** Where to, for a task that its node still has; placed anew where its node is lost. */
  to?: Destination;
}

/** What became of a task that was moved: it had ended where it was, or goes on elsewhere. */
export type MovedTask =
  { kind: 'ended'; run: RunView } | { kind: 'moved'; node_id: string; pool_id: string; epoch: number };

/** Result of `inferTask`, and what its memo keeps for those who ask after the node has forgotten the run. */
export const taskOutcome = z.object({
  state: z.enum(TASK_STATES),
  node_id: z.string(),
  replica_id: z.string().nullable(),
  engine_version: z.string().nullable(),
  tokens_in: z.int().nullable(),
  tokens_out: z.int(),
  started_at_ms: z.int().nullable(),
  first_token_at_ms: z.int().nullable(),
  ended_at_ms: z.int().nullable(),
  stop_reason: z.string().nullable(),
  error: errorEnvelope.nullable(),
});

/** A task outcome's type. */
export type TaskOutcome = z.infer<typeof taskOutcome>;
