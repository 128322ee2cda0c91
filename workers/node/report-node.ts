/** This node's reports to an API: what they are made of, and to whom they go. */
import type { Settings } from '../../contracts/settings.js';
import type { Logger } from '../../telemetry/logger.js';
import { packageVersion } from '../../telemetry/package-version.js';
import { addressOf, capabilitiesOf, machineId } from './machine.js';
import { NodeReporter } from './node-reporter.js';
import type { PoolRegistry } from './pool-registry.js';
import { reportedPools } from './reported-pools.js';
import type { DeviceWatch } from './watch-devices.js';

/** What is reported. */
export interface ReportedParts {
  pools: PoolRegistry;
  devices: Pick<DeviceWatch, 'snapshot'>;
  /** Where the gateway listens. */
  url: string;
  /** The token as it is now. */
  token: () => string;
  log: Logger;
}

/** Reports to the API whose address is set; without one the APIs must know this node by `DROVER_NODES`. */
export function reportNode(
  settings: Settings,
  { pools, devices, url, token, log }: ReportedParts,
): NodeReporter | undefined {
  const { DROVER_API_URL: apiUrl, DROVER_NODE_ID: node_id } = settings;
  if (apiUrl === undefined) return undefined;
  const address = addressOf(settings, Number(new URL(url).port));
  const [machine_id, version] = [machineId(), packageVersion()];
  const reporter = new NodeReporter({
    ...{ apiUrl, token, log, now: Date.now, random: Math.random },
    registration: () => ({
      ...{ node_id, machine_id, address, version },
      pools: [...pools.all()].map(({ poolId }) => poolId),
      capabilities: capabilitiesOf(devices.snapshot()),
    }),
    pools: () => reportedPools(pools.snapshot(), devices.snapshot()),
  });
  reporter.start();
  return reporter;
}
