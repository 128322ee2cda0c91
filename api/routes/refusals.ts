/** Refusals in the schemas of routes: all of them have one body. */
import type { z } from 'zod';
import { anthropicError } from '../../contracts/anthropic.js';
import { errorEnvelope } from '../../contracts/errors.js';
import { openaiError } from '../../contracts/openai.js';

/** Statuses with which a route may refuse. */
export type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 410 | 413 | 415 | 429 | 500 | 502 | 503 | 504 | 507;

/** Every route with a key can refuse so. */
const KEYED = [401, 403, 429, 500] as const;

/** Response schemas of a route that needs a key and may refuse with `statuses` too. */
export function refusals<const S extends RefusalStatus>(...statuses: S[]) {
  return bodies([...statuses, ...KEYED], errorEnvelope);
}

/** The same for a route whose clients speak OpenAI's words. */
export function openAiRefusals<const S extends RefusalStatus>(...statuses: S[]) {
  return bodies([...statuses, ...KEYED], openaiError);
}

/** The same for a route whose clients speak Anthropic's words. */
export function anthropicRefusals<const S extends RefusalStatus>(...statuses: S[]) {
  return bodies([...statuses, ...KEYED], anthropicError);
}

/** Response schemas of a route without a key. */
export function keylessRefusals<const S extends RefusalStatus>(...statuses: S[]) {
  return bodies(statuses, errorEnvelope);
}

function bodies<S extends RefusalStatus, B extends z.ZodType>(statuses: readonly S[], body: B): Record<S, B> {
  const entries = statuses.map((status) => [status, body] as const);
  return Object.fromEntries(entries) as Record<S, B>; // fromEntries forgets the keys.
}
