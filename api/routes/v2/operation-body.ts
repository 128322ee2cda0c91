/** What the routes that operate on a pool answer (B-CP-070). */
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { operationAccepted } from '../../../contracts/pool.js';
import type { OperationAnswer } from '../../tasks/pool-operation.js';

/** 200 with what a finished operation answers, 202 with where one that goes on tells how it stands. */
export function operationBody<Result>(
  reply: Pick<FastifyReply, 'code'>,
  answer: OperationAnswer<Result>,
): Result | z.infer<typeof operationAccepted> {
  if ('result' in answer) return answer.result;
  reply.code(202);
  const { operationId } = answer;
  const href = `/v2/operations/${encodeURIComponent(operationId)}`;
  return { operation_id: operationId, status: 'running', href };
}
