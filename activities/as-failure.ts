/** An error of ours as Temporal's failure: its code is the type, and what the request itself did is final. */
import { ApplicationFailure } from '@temporalio/common';
import { DroverError, statusOf } from '../contracts/errors.js';

/** Makes the call. @throws ApplicationFailure for a `DroverError`, to be tried again where its status is 5xx */
export async function asFailure<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (err) {
    if (!(err instanceof DroverError)) throw err;
    throw ApplicationFailure.create({
      message: err.message,
      type: err.code,
      // Whoever stumbled may stand up again.
      nonRetryable: statusOf(err.code) < 500,
      details: [err.toEnvelope()],
      cause: err,
    });
  }
}
