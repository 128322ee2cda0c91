/** What a session has left while one of its tasks runs, as live figures tell it. */
import type { Run } from './run.js';

/** What the session has left while the task runs: what it had at admission, less what the task has used (B-DP-094). */
export function budgetsDuring({ offer, tokensCharged }: Run, timeMs: number) {
  const left = (budget: number | null | undefined, used: number) =>
    budget === null || budget === undefined ? null : Math.max(0, budget - used);
  const { budgets } = offer;
  return {
    tokens_budget_remaining: left(budgets?.tokens_budget_remaining, tokensCharged),
    time_budget_remaining_ms: left(budgets?.time_budget_remaining_ms, timeMs),
    cost_budget_remaining: left(budgets?.cost_budget_remaining, tokensCharged * (budgets?.token_price ?? 0)),
  };
}
