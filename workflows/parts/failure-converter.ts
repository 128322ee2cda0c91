/** Moves a failure's message and stack into a payload, which the codec seals; type and category stay readable. */
import { DefaultFailureConverter } from '@temporalio/common';

/** Loaded by path by clients, workers and the workflow sandbox, hence the fixed name. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
