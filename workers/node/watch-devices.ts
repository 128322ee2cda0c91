/**
 * The node's GPUs, asked of their driver again and again: a snapshot for whoever wants one, the gauges, and the end of
 * readiness for a pool whose masked GPU the driver no longer lists (B-PREFLIGHT-015, B-DEVICE-017). A driver that fails to
 * answer takes nobody's work away: an engine that computes knows better than a tool that hangs.
 */
import { engineFields } from '../../activities/pool/pool-fields.js';
import type { NodeDevices } from '../../contracts/node.js';
import { missingDevices } from '../../domain/device-mask.js';
import { namesOf, type DeviceQuery, type GpuDevice } from '../../domain/gpu.js';
import { withOwnCorrelation } from '../../telemetry/correlation.js';
import type { Logger } from '../../telemetry/logger.js';
import type { PoolRegistry } from './pool-registry.js';

/** What the watch works with. */
export interface DeviceWatchDeps {
  /** Asks the driver; undefined where there is none. */
  query: () => Promise<DeviceQuery>;
  pools: Pick<PoolRegistry, 'engines' | 'failed'>;
  /** Shows the memory of every device. */
  gauge: (devices: readonly GpuDevice[]) => void;
  log: Logger;
  now: () => number;
}

/** The watch over the devices of this node. */
export class DeviceWatch {
  private seen: NodeDevices = { devices: [], problem: null, seen_at_ms: null };
  private busy = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: DeviceWatchDeps) {}

  /** Looks now, and every `intervalMs` from now on. */
  start(intervalMs: number): void {
    void this.look();
    this.timer = setInterval(() => void withOwnCorrelation(() => this.look()), intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** As it was at the last look. */
  snapshot(): NodeDevices {
    return this.seen;
  }

  /** Asks once; a look that takes longer than the interval is not overtaken. */
  async look(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      this.take(await this.deps.query());
    } catch (err) {
      this.take({ problem: err instanceof Error ? err.message : String(err) });
    } finally {
      this.busy = false;
    }
  }

  private take(answer: DeviceQuery): void {
    const { log, now, gauge } = this.deps;
    const before = this.seen;
    if (answer !== undefined && 'problem' in answer) {
      this.seen = { ...before, problem: answer.problem };
      if (before.problem === answer.problem) return;
      log.warn({ event: 'devices_unknown', problem: answer.problem }, 'the driver does not list its devices');
      return;
    }
    const devices = answer?.devices ?? [];
    this.seen = { devices: [...devices], problem: null, seen_at_ms: now() };
    gauge(devices);
    const names = namesOf(devices);
    if (names !== namesOf(before.devices) || before.problem !== null)
      log.info({ event: 'devices_listed', devices: names }, 'the devices of this node');
    if (answer !== undefined) this.endReadinessWithout(devices);
  }

  private endReadinessWithout(devices: readonly GpuDevice[]): void {
    const { pools, log } = this.deps;
    for (const { prepared } of pools.engines()) {
      const { pool_id, device_mask, backend } = prepared;
      if (device_mask === null || backend === 'cpu') continue;
      const missing = missingDevices(device_mask, devices);
      if (missing.length === 0) continue;
      const last_error = `device ${missing.join(',')} of the mask "${device_mask}" is gone; the node has ${namesOf(devices)}`;
      log.error({ event: 'device_gone', ...engineFields(prepared), last_error }, 'device gone');
      pools.failed(pool_id, last_error);
    }
  }
}
