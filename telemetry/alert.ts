/** Alerts: what an operator is woken for, in one shape, so that one rule on the log finds them all (B-OBS-060). */
import type { Logger } from './logger.js';

/** Kinds of alerts. */
export type AlertKind = 'restart_storm' | 'oom_storm' | 'oom_kill' | 'circuit_open' | 'rollback_failed';

/**
 * Logs a critical alert.
 * @param fields - the pool, and the figures that led to it
 */
export function raiseAlert(
  log: Pick<Logger, 'error'>,
  alert: AlertKind,
  fields: { pool_id: string } & Record<string, unknown>,
): void {
  log.error({ event: 'alert', severity: 'critical', alert, ...fields }, `alert: ${alert}`);
}
