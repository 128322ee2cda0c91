/** The bearer token of a request to the gateway. */
import type { IncomingHttpHeaders } from 'node:http';

/** Undefined where there is none. */
export function bearerOf({ authorization = '' }: IncomingHttpHeaders): string | undefined {
  return /^Bearer +(\S+)$/.exec(authorization)?.[1];
}
