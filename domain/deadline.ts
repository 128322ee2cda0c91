/**
 * The deadline of a task: one instant, fixed where its request comes in, and the same wherever work is done for it, on
 * however many nodes and engines (B-DEAD-001..004). Nobody on the way may put it off.
 */

/** Carries it between services, as ISO 8601 in UTC. */
export const DEADLINE_HEADER = 'x-request-deadline';

const ISO_INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** What a request may have: the instant, whether its header asked for a later one, or what is wrong with the header. */
export type FixedDeadline =
  { kind: 'fixed'; atMs: number; putOffInVain: boolean } | { kind: 'malformed' } | { kind: 'passed' };

/** The instant by which a request that says `deadlineMs` must be served; an earlier one of its header wins. */
export function fixDeadline(deadlineMs: number, header: string | undefined, nowMs: number): FixedDeadline {
  const latest = nowMs + deadlineMs;
  if (header === undefined) return { kind: 'fixed', atMs: latest, putOffInVain: false };
  const asked = ISO_INSTANT.test(header) ? Date.parse(header) : Number.NaN;
  if (Number.isNaN(asked)) return { kind: 'malformed' };
  if (asked <= nowMs) return { kind: 'passed' };
  return { kind: 'fixed', atMs: Math.min(asked, latest), putOffInVain: asked > latest };
}

/** The header of whatever is asked for a task; none where its deadline is not known. */
export function deadlineHeaders(atMs: number | undefined): Record<string, string> {
  return atMs === undefined ? {} : { [DEADLINE_HEADER]: new Date(atMs).toISOString() };
}
