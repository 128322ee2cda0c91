/** Budgets left, on admissions and streams (B-DP-025, B-DP-103); without a limit they say so (B-DP-091). */

/** Headers of a session without limits. */
export const UNLIMITED_BUDGET_HEADERS: Record<string, string> = {
  'x-budget-tokens-remaining': 'unlimited',
  'x-budget-time-remaining-ms': 'unlimited',
  'x-budget-cost-remaining': 'unlimited',
};
