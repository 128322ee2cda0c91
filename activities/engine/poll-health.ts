/** One health poll: a request of its own, on a connection of its own, that a hung engine cannot hold up. */
import { request } from 'node:http';

/** What came of a poll. */
export type HealthAnswer =
  | { healthy: true }
  | {
      healthy: false;
      reason: string;
      /** It answered, though not that it is healthy. */
      isUp?: boolean;
    };

/**
 * `GET url`; a status line with 200 is healthy, HTTP/1.0 or 1.1 (B-PRELOAD-014). Anything else is a reason in words.
 * @param signal - ends the poll; the answer then says so
 */
export function pollHealth(url: string, signal: AbortSignal): Promise<HealthAnswer> {
  return new Promise((resolve) => {
    // No agent: on a connection that is used again an engine's reset would look like ill health.
    const asked = request(url, { agent: false, signal }, (response) => {
      response.resume();
      const { statusCode } = response;
      resolve(
        statusCode === 200
          ? { healthy: true }
          : { healthy: false, reason: `it answers ${statusCode}`, isUp: true },
      );
      asked.destroy();
    });
    asked.on('error', (err) => resolve({ healthy: false, reason: reasonOf(err, signal) }));
    asked.end();
  });
}

function reasonOf(err: NodeJS.ErrnoException, signal: AbortSignal): string {
  if (signal.aborted) return signal.reason instanceof Error ? signal.reason.message : 'the poll was ended';
  return err.code === 'ECONNREFUSED' ? 'it refuses the connection' : err.message;
}
