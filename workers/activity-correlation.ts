/** What an activity logs names the request that it serves: the id comes from its workflow (`workflows/parts/correlation.ts`). */
import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityInterceptors } from '@temporalio/worker';
import { CORRELATION_HEADER } from '../domain/identity.js';
import { withCorrelation } from '../telemetry/correlation.js';

/** One activity's interceptors, for `interceptors.activity` of a worker. */
export function activityCorrelation(): ActivityInterceptors {
  let correlation_id: string | undefined;
  return {
    inbound: {
      execute(input, next) {
        const header = input.headers[CORRELATION_HEADER];
        if (header === undefined) return next(input);
        correlation_id = defaultPayloadConverter.fromPayload<string>(header);
        return withCorrelation(correlation_id, () => next(input));
      },
    },
    // The SDK's own lines about the activity.
    outbound: { getLogAttributes: (fields, next) => next({ ...fields, correlation_id }) },
  };
}
