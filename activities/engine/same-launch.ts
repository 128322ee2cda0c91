/** Whether two launch descriptions ask for the same engine (B-API-026). */
import { isDeepStrictEqual } from 'node:util';
import type { PreparedEngine } from '../../contracts/pool.js';
import { moveToPort } from '../../domain/preflight.js';

/** True when they are equal, the port aside where any will do: preflight may have chosen another one. */
export function isSameLaunch(wanted: PreparedEngine, running: PreparedEngine): boolean {
  const moved = wanted.port_fixed ? wanted : moveToPort(wanted, running.port);
  return isDeepStrictEqual(moved, running);
}

/** Base URL of an engine. IPv6 addresses are bracketed. */
export function engineUrl({ host, port }: Pick<PreparedEngine, 'host' | 'port'>): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
