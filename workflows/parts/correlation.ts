/**
 * Every line that a workflow logs has the correlation id of its request, and every activity that it schedules gets it as
 * a header. The SDK's own lines ("Workflow failed") pass here too, and no line is repeated by a replay.
 */
import {
  defaultPayloadConverter,
  workflowInfo,
  type Headers,
  type WorkflowInterceptors,
} from '@temporalio/workflow';
import { CORRELATION_HEADER } from '../../domain/identity.js';
import { CorrelationId } from '../search-attributes.js';

function correlationId(): string | undefined {
  return workflowInfo().typedSearchAttributes.get(CorrelationId);
}

function withId<T extends { headers: Headers }>(input: T): T {
  const id = correlationId();
  if (id === undefined) return input;
  const header = { [CORRELATION_HEADER]: defaultPayloadConverter.toPayload(id) };
  return { ...input, headers: { ...input.headers, ...header } };
}

/** Found by its name in the workflow bundle. */
export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      getLogAttributes: (fields, next) => next({ ...fields, correlation_id: correlationId() }),
      scheduleActivity: (input, next) => next(withId(input)),
      scheduleLocalActivity: (input, next) => next(withId(input)),
    },
  ],
});
