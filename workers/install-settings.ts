/** What this control worker gives to the nodes that it installs, and how it learns that they have come up. */
import type { InstallSettings } from '../activities/registry/registry-deps.js';
import type { Settings } from '../contracts/settings.js';
import { isHeard, stateAt } from '../domain/node-service.js';
import type { NodeWorkers } from '../store/node-workers.js';
import { packageVersion } from '../telemetry/package-version.js';
import { temporalAddress } from './temporal.js';

/** Taken from its own settings. */
export function installSettings(settings: Settings, nodeWorkers: Pick<NodeWorkers, 'list'>): InstallSettings {
  return {
    nodeToken: settings.DROVER_NODE_TOKEN,
    payloadKeys: settings.DROVER_PAYLOAD_KEYS,
    apiUrl: settings.DROVER_API_URL,
    temporalAddress: temporalAddress(settings),
    namespace: settings.TEMPORAL_NAMESPACE,
    version: packageVersion(),
    async lastReport(nodeId) {
      const node = (await nodeWorkers.list()).find(({ node_id }) => node_id === nodeId);
      if (node?.last_heartbeat_ms == null) return undefined;
      const heardMs = node.last_heartbeat_ms;
      const state = stateAt(node, heardMs, Date.now());
      return { heardMs, online: state !== undefined && isHeard(state) };
    },
  };
}
