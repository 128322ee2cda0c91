/** Operations on pools: how one stands, for whoever started it or watches its pool (control-plane 4.5). */
import { z } from 'zod';
import { OPERATION_KINDS } from '../domain/identity.js';
import { poolHealth } from './pool.js';

/** One step of an operation, as its workflow tells it. */
export const operationStep = z
  .object({
    step: z.string(),
    doing: z.string().meta({ description: 'the same in words' }),
    at_ms: z.int().meta({ description: 'when it began, in Unix milliseconds' }),
    duration_ms: z.int().nullable().meta({ description: 'null while it lasts' }),
  })
  .meta({ id: 'OperationStep' });

/** Operation step's type. */
export type OperationStep = z.infer<typeof operationStep>;

/** Body of `GET /v2/operations/{id}`. */
export const operation = z
  .object({
    operation_id: z.string(),
    run_id: z.string().meta({ description: 'an id names the last run of it; this one tells runs apart' }),
    kind: z.enum(OPERATION_KINDS),
    pool_id: z.string(),
    status: z.enum(['running', 'completed', 'failed', 'cancelled', 'terminated']),
    started_at_ms: z.int(),
    ended_at_ms: z.int().nullable(),
    step: z.string().nullable().meta({ description: 'where it is, or was when it ended' }),
    steps: z.array(operationStep).meta({ description: 'empty while no control worker is there to tell' }),
    waiting_for: z
      .array(
        z.object({
          activity: z.string(),
          attempt: z.int(),
          next_attempt_at_ms: z.int().nullable().meta({ description: 'null while one runs' }),
        }),
      )
      .meta({ description: 'what the node does now, and how often it was tried' }),
    outcome: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: 'what the operation answers when it is completed' }),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'Operation' });

/** Operation's type. */
export type Operation = z.infer<typeof operation>;

/** An event of `GET /v2/pools/{id}/events`: a pool that stands otherwise than before, a step begun, a run ended. */
export const poolEvents = {
  status: poolHealth,
  step: z
    .object({
      ...operation.pick({ operation_id: true, run_id: true, kind: true }).shape,
      ...operationStep.omit({ duration_ms: true }).shape,
    })
    .meta({ id: 'PoolStepEvent' }),
  end: operation,
} as const;

/** A pool event's type. */
export type PoolEvent = {
  [Type in keyof typeof poolEvents]: { type: Type; data: z.infer<(typeof poolEvents)[Type]> };
}[keyof typeof poolEvents];
