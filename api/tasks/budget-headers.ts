/** Budgets left, on admissions and streams (B-DP-025, B-DP-103); without a limit they say so (B-DP-091). */
import type { Budgets } from '../../contracts/session.js';

/** The headers; of a session that nobody knows of they say that nothing is limited. */
export function budgetHeaders(left: Budgets | undefined): Record<string, string> {
  const told = (budget: number | null | undefined) => String(budget ?? 'unlimited');
  return {
    'x-budget-tokens-remaining': told(left?.tokens_budget_remaining),
    'x-budget-time-remaining-ms': told(left?.time_budget_remaining_ms),
    'x-budget-cost-remaining': told(left?.cost_budget_remaining),
  };
}
