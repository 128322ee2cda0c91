/**
 * The five frames of a task's stream (data-plane 3.2), and how a node hands them to a relay.
 * A frame's offset is its number in the run log, from 0; it is the SSE `id:` that a client resumes from.
 */
import { z } from 'zod';
import { errorEnvelope } from './errors.js';
import { pieceLogprobs } from './logprobs.js';
import { toolCallDelta } from './tools.js';

/** Stop reasons on the wire. */
export const stopReason = z.enum(['MAX_TOKENS', 'EOS', 'STOP_SEQUENCE', 'CANCELLED', 'ERROR']);

/** First frame: what admission said, and who serves the task. */
export const startedData = z
  .object({
    queue_position: z.int(),
    predicted_start_ms: z.int(),
    task_id: z.string(),
    engine: z.string(),
    pool_id: z.string(),
    replica_id: z.string(),
    model_ref: z.string(),
    correlation_id: z.string(),
    admitted_at_ms: z.int(),
  })
  .meta({ id: 'StartedFrame' });

/** What a task with inputs answers one of them with: it stands beside an empty text, and `i` is the input's number. */
const inputAnswer = {
  embedding: z.string().optional().meta({
    description: 'of workload `embedding`: the vector of input `i`, 32-bit floats, little-endian, in base64',
  }),
  relevance_score: z.number().optional().meta({
    description: 'of workload `rerank`: how well input `i` fits the query; higher is better',
  }),
  tokens_in: z.int().optional().meta({ description: 'of both: tokens that the engine has read so far' }),
};

/** Text: `i` counts token frames from 0 without a gap; a frame's text may stand for several engine tokens. */
export const tokenData = z
  .object({
    t: z.string(),
    i: z.int(),
    tool_call: toolCallDelta
      .optional()
      .meta({ description: 'a piece of a call to a tool; `t` is empty then' }),
    logprobs: pieceLogprobs.optional().meta({ description: 'where they were asked for' }),
    ...inputAnswer,
  })
  .meta({ id: 'TokenFrame' });

/** How far one step of a task's preparation is (B-DP-080, B-DP-105). */
const stepProgress = z
  .object({
    status: z.enum(['pending', 'running', 'completed', 'failed']),
    bytes_total: z.int().nullable(),
    bytes_done: z.int().nullable(),
    pct: z.int().min(0).max(100).nullable(),
    eta_ms: z.int().nullable().meta({ description: 'by what the step took last time; null: not known' }),
    phase: z.enum(['wait', 'fetch', 'load', 'done']),
    human: z.string(),
  })
  .meta({ id: 'StepProgress' });

/** A step's progress. */
export type StepProgress = z.infer<typeof stepProgress>;

/** Live figures; the budgets are null while no limit is set (B-DP-091). */
export const metricsData = z
  .object({
    queue_depth: z.int(),
    on_time_probability: z.number().min(0).max(1),
    kv_warmth: z.boolean(),
    tokens_out: z.int(),
    tokens_budget_remaining: z.int().nullable(),
    time_budget_remaining_ms: z.int().nullable(),
    cost_budget_remaining: z.number().nullable(),
    prep: z.record(z.string(), stepProgress).optional().meta({
      description: 'by step of the preparation: only before `started`, in events without an id',
    }),
    phase: z.enum(['decode', 'prepare']).optional().meta({ description: 'only with ?verbose=true' }),
    human: z.string().optional().meta({ description: 'only with ?verbose=true' }),
  })
  .meta({ id: 'MetricsFrame' });

/** Live figures' type. */
export type MetricsData = z.infer<typeof metricsData>;

/** Last frame of a completed task. */
export const endData = z
  .object({
    tokens_out: z.int(),
    tokens_in: z.int(),
    decode_time_ms: z.int(),
    decode_ms: z.int().meta({ description: 'alias of decode_time_ms (C-090)' }),
    stop_reason: stopReason,
    stop_sequence_matched: z.string().optional(),
    tool_calls: z.int().min(1).optional().meta({ description: 'how many tools the answer calls' }),
  })
  .meta({ id: 'EndFrame' });

const at = {
  offset: z.int().min(0),
  epoch: z.int().min(1),
  ids: z
    .array(z.int())
    .optional()
    .meta({ description: 'of the engine tokens that it stands for: from them another node goes on' }),
};

/** One frame of a run log, as the node's gateway sends it (one JSON object a line) and a relay keeps it. */
export const frame = z.discriminatedUnion('type', [
  z.object({
    ...at,
    type: z.literal('started'),
    data: startedData,
    model: z.string().optional().meta({ description: 'file name of the model that the ids are of' }),
  }),
  z.object({ ...at, type: z.literal('token'), data: tokenData }),
  z.object({ ...at, type: z.literal('metrics'), data: metricsData }),
  z.object({ ...at, type: z.literal('end'), data: endData }),
  z.object({ ...at, type: z.literal('error'), data: errorEnvelope }),
]);

/**
 * What a node tells of a task that waits for its pool to wake: no frame of its log, so that it has no offset and is told to
 * whoever listens now.
 */
export const prepLine = z.object({ type: z.literal('prep'), data: metricsData });

/** A frame's type. */
export type Frame = z.infer<typeof frame>;

/** A frame without its place: what a run produces before the log numbers it. */
export type FrameBody = Frame extends infer F
  ? F extends Frame
    ? Omit<F, 'offset' | 'epoch' | 'ids'>
    : never
  : never;

/** True for the frame that closes a stream; exactly one ends each (B-DP-123, B-DP-126). */
export function closesStream(f: { type: Frame['type'] }): boolean {
  return f.type === 'end' || f.type === 'error';
}
