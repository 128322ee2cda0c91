/** This machine as the system tells of it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { arch, availableParallelism, hostname, totalmem } from 'node:os';
import type { NodeDevices } from '../../contracts/node.js';
import type { NodeCapabilities } from '../../contracts/node-service.js';
import type { Settings } from '../../contracts/settings.js';
import type { MachineFacts } from './machine-routes.js';

/** How this machine is looked at. */
export function thisMachine({ DROVER_NODE_BACKENDS, DROVER_STATE_DIR }: Settings): MachineFacts {
  return {
    backends: () => ({ allowed: DROVER_NODE_BACKENDS, platform: process.platform, arch: arch() }),
    async resources() {
      const { bsize, blocks, bavail } = await statfs(DROVER_STATE_DIR);
      return {
        ...{ ramTotal: totalmem(), ramAvailable: process.availableMemory() },
        ...{ diskTotal: blocks * bsize, diskAvailable: bavail * bsize },
      };
    },
  };
}

/** What it can do, as it registers. */
export function capabilitiesOf({ devices }: NodeDevices): NodeCapabilities {
  const gpus = devices.map(({ index, name, vram_total_bytes, compute_capability }) => ({
    ...{ device_id: index, name, vram_total_bytes, compute_capability },
  }));
  return { gpus, cpu_cores: availableParallelism(), ram_total_bytes: totalmem() };
}

/** Tells this machine from others: copies of a system image share the system's own id, so the name is part of it. */
export function machineId(): string {
  return createHash('sha256').update(`${systemId()}\n${hostname()}`).digest('hex').slice(0, 32);
}

function systemId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return ''; // Not Linux, or a container without one.
  }
}

/** Where APIs reach a gateway that listens here. @param port - that it has got */
export function addressOf({ DROVER_NODE_URL, DROVER_NODE_ADDR }: Settings, port: number): string {
  if (DROVER_NODE_URL !== undefined) return DROVER_NODE_URL;
  const host = DROVER_NODE_ADDR.slice(0, DROVER_NODE_ADDR.lastIndexOf(':'));
  const isEveryAddress = host === '0.0.0.0' || host === '[::]';
  return `http://${isEveryAddress ? hostname() : host}:${port}`;
}
