/** Sessions (data-plane 6): figures of a client's tasks together; nothing of what was said. */
import { z } from 'zod';

/** A session cannot last longer without use (B-SS-028). */
export const LONGEST_SESSION_MS = 600_000;

/** What a session has left; null while no limit is set (B-DP-091). */
export const budgets = z.object({
  tokens_budget_remaining: z.int().nullable(),
  time_budget_remaining_ms: z.int().nullable(),
  cost_budget_remaining: z.number().nullable(),
});

/** What a session has left, its type. */
export type Budgets = z.infer<typeof budgets>;

/** Body of `GET /v2/sessions/{id}`. */
export const sessionView = z
  .object({
    ttl_ms_remaining: z.int().min(0).meta({ description: 'until it is forgotten; each task puts that off' }),
    turns: z.int().min(0).meta({ description: 'tasks that were accepted' }),
    kv_bytes: z.int().min(0).meta({ description: 'cache that an engine holds for this session alone' }),
    kv_warmth: z.boolean().meta({ description: 'true once a task has put out a token' }),
    ...budgets.shape,
  })
  .meta({ id: 'Session' });

/** A session as its client sees it. */
export type SessionView = z.infer<typeof sessionView>;
