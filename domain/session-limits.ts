/** What a session may still do, and why a task does not fit into it (data-plane 6 and 7). */

/** Limits of every session; undefined: none. */
export interface SessionLimits {
  turns: number | undefined;
  tokens: number | undefined;
  timeMs: number;
  cost: number | undefined;
  /** Of a token that is put out. */
  tokenPrice: number;
}

/** How a session stands. */
export interface SessionStanding {
  turns: number;
  tokensUsed: number;
  /** Of tasks that have yet to end. */
  tokensReserved: number;
  timeUsedMs: number;
  costUsed: number;
}

/** What a task says of the tokens that it will put out, and in which field. */
export interface TokenWish {
  field: 'expected_tokens' | 'max_tokens';
  tokens: number;
}

/** What a session has left; null where nothing is limited (B-DP-091). */
export interface BudgetsLeft {
  tokens: number | null;
  timeMs: number;
  cost: number | null;
}

/** What is wrong with a task, and in which field. */
export interface Misfit {
  field: string;
  problem: string;
}

/** A session in which nothing has been done. */
export const FRESH_SESSION: SessionStanding = {
  turns: 0,
  tokensUsed: 0,
  tokensReserved: 0,
  timeUsedMs: 0,
  costUsed: 0,
};

/** What is left for the next task. */
export function budgetsLeft(limits: SessionLimits, standing: SessionStanding): BudgetsLeft {
  const { tokensReserved } = standing;
  const left = (budget: number | undefined, used: number) =>
    budget === undefined ? null : Math.max(0, budget - used);
  return {
    tokens: left(limits.tokens, standing.tokensUsed + tokensReserved),
    timeMs: Math.max(0, limits.timeMs - standing.timeUsedMs),
    cost: left(limits.cost, standing.costUsed + tokensReserved * limits.tokenPrice),
  };
}

/** Everything that keeps a task out; empty: it fits. A spent budget keeps out whatever is said to be expected. */
export function misfits(limits: SessionLimits, standing: SessionStanding, wish: TokenWish): Misfit[] {
  const found: Misfit[] = [];
  if (limits.turns !== undefined && standing.turns >= limits.turns) {
    const problem = `the session has used its turn limit of ${limits.turns} tasks; delete it, or take another`;
    found.push({ field: 'session_id', problem });
  }
  const { tokens, timeMs, cost } = budgetsLeft(limits, standing);
  const wanted = Math.max(1, wish.tokens);
  if (tokens !== null && wanted > tokens) {
    found.push({ field: wish.field, problem: `the session has ${tokens} tokens left of its budget` });
  }
  if (timeMs === 0) found.push({ field: 'session_id', problem: 'the session has used its time budget' });
  if (cost !== null && (cost === 0 || wanted * limits.tokenPrice > cost)) {
    found.push({ field: wish.field, problem: `the session has ${cost} left of its cost budget` });
  }
  return found;
}
