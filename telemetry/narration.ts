/**
 * Narration: a milestone's log line is told to people, too, in one sentence beside its fields (observability 4). The logger adds
 * who emitted it and when. Workflows do not come here: they log by Temporal's own logger, which a replay does not repeat, and
 * leave milestones to their activities (B-NARR-015).
 */

/** Who tells it, in the words of the inherited contract (B-NARR-001, B-NARR-008). */
export type Actor = 'orchestratord' | 'pool-managerd' | 'drover';

/** A milestone as it is told. */
export interface Story {
  actor: Actor;
  action: string;
  target: string;
  human: string;
}

/** What a story may have beside it; what is not known is absent (B-NARR-002, B-NARR-003). */
export interface StoryFields {
  correlation_id?: string;
  session_id?: string;
  job_id?: string;
  task_id?: string;
  pool_id?: string;
  replica_id?: string;
  worker_id?: string;
  error_kind?: string;
  retry_after_ms?: number;
  backoff_ms?: number;
  duration_ms?: number;
  queue_position?: number;
  predicted_start_ms?: number;
  engine?: string;
  engine_version?: string;
  model_ref?: string;
  device?: string;
  tokens_in?: number;
  tokens_out?: number;
  decode_time_ms?: number;
  emitted_by?: string;
  emitted_at_ms?: number;
  trace_id?: string;
  span_id?: string;
  parent_span_id?: string;
  source_location?: string;
}

/** Longest sentence (B-NARR-004). */
const MAX_SENTENCE = 100;

/**
 * A milestone in a log line.
 * @param human - one sentence in the present tense, specific, without ids; what is beyond 100 characters is cut off
 * @param fields - those that are null or undefined are left out
 */
export function story(
  actor: Actor,
  action: string,
  target: string,
  human: string,
  fields: { readonly [K in keyof StoryFields]: StoryFields[K] | null | undefined } = {},
): Story & StoryFields {
  const known = Object.entries<unknown>(fields).filter(([, value]) => value !== null && value !== undefined);
  const sentence = human.length <= MAX_SENTENCE ? human : `${human.slice(0, MAX_SENTENCE - 1)}…`;
  return { actor, action, target, human: sentence, ...(Object.fromEntries(known) as StoryFields) };
}
