/** What a request for a completion brings beside its body, whatever words it is in. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { taskId } from '../../contracts/task.js';
import type { CallerWishes } from './completion-task.js';
import { parsePlace, type ChunkPlace } from './words.js';

/** Headers of a request for vectors or scores. */
export const inputHeaders = z.looseObject({
  'idempotency-key': z.string().min(1).max(256).optional().meta({
    description: 'The same key and body are one task; its stream is not cancelled when readers leave.',
  }),
  'x-session-id': taskId.optional(),
});

/** Headers of a request for a completion. */
export const completionHeaders = z.looseObject({
  ...inputHeaders.shape,
  'last-event-id': z
    .string()
    .refine((text) => parsePlace(text) !== undefined, 'must be the id of an event')
    .optional()
    .meta({ description: 'Last chunk that the reader has; the stream goes on after it.' }),
});

/** The same, as they were given. */
export type CompletionHeaders = z.infer<typeof completionHeaders>;

/** The wishes of a caller. */
export function wishesOf(
  { identity }: Pick<FastifyRequest, 'identity'>,
  given: CompletionHeaders,
  { maxOutputTokens }: Pick<CallerWishes, 'maxOutputTokens'>,
): CallerWishes {
  return {
    idempotencyKey: given['idempotency-key'],
    sessionId: given['x-session-id'],
    identity,
    maxOutputTokens,
  };
}

/** Where the caller's reader goes on; undefined from the start. */
export function placeOf(given: CompletionHeaders): ChunkPlace | undefined {
  const last = given['last-event-id'];
  return last === undefined ? undefined : parsePlace(last);
}
