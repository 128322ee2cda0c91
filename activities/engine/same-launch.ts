/** Whether two launch descriptions ask for the same engine (B-API-026). */
import { isDeepStrictEqual } from 'node:util';
import type { PreparedEngine } from '../../contracts/pool.js';
import { withChosenDevice } from '../../domain/device-mask.js';
import { withSplit } from '../../domain/hetero-split.js';
import { moveToPort } from '../../domain/engine-port.js';

/**
 * True when they are equal but for what preflight has chosen: the port where any will do, the device of one that names
 * none, the figures of a split.
 */
export function isSameLaunch(wanted: PreparedEngine, running: PreparedEngine): boolean {
  const split = withChosenDevice(withSplit(wanted, running.split_plan), running.device_chosen);
  const moved = split.port_fixed ? split : moveToPort(split, running.port);
  return isDeepStrictEqual(moved, running);
}

/** Base URL of an engine. IPv6 addresses are bracketed. */
export function engineUrl({ host, port }: Pick<PreparedEngine, 'host' | 'port'>): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
