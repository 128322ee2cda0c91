/** Who listens where: every port settled before the first process starts, so that all can be told of all. */
import type { Configuration } from './configuration.js';
import { claimPort, nextFreePort } from './ports.js';
import type { StackUrls } from './stack-record.js';
import type { Say } from './stack-error.js';
import { TEMPORAL_HOST } from './temporal-server.js';

/** Settled addresses. */
export interface Addresses {
  apiPort: number;
  /** host:port of the node gateway. */
  nodeAddress: string;
  /** Undefined where Temporal is not ours. */
  temporalPorts: { port: number; uiPort: number } | undefined;
  urls: StackUrls;
}

/**
 * Settles the addresses.
 * @throws StackError naming the setting of a port that is taken
 */
export async function settleAddresses({ settings, env }: Configuration, say: Say): Promise<Addresses> {
  const apiPort = await claimPort(settings.DROVER_API_HOST, settings.DROVER_API_PORT, 'DROVER_API_PORT');
  const ours = settings.TEMPORAL_ADDRESS === undefined;
  const temporalPorts = ours ? await settleTemporal(settings) : undefined;
  const nodeAddress = await settleNode(settings.DROVER_NODE_ADDR, env['DROVER_NODE_ADDR'] !== undefined, say);
  const urls = {
    api: `${settings.DROVER_TLS_CERT === undefined ? 'http' : 'https'}://${reachable(settings.DROVER_API_HOST)}:${apiPort}`,
    temporal: settings.TEMPORAL_ADDRESS ?? `${TEMPORAL_HOST}:${temporalPorts?.port ?? 0}`,
    temporal_ui: temporalPorts === undefined ? null : `http://${TEMPORAL_HOST}:${temporalPorts.uiPort}`,
  };
  return { apiPort, nodeAddress, temporalPorts, urls };
}

async function settleTemporal(
  settings: Configuration['settings'],
): Promise<{ port: number; uiPort: number }> {
  const port = await claimPort(TEMPORAL_HOST, settings.DROVER_TEMPORAL_PORT, 'DROVER_TEMPORAL_PORT');
  const uiPort = await claimPort(TEMPORAL_HOST, settings.DROVER_TEMPORAL_UI_PORT, 'DROVER_TEMPORAL_UI_PORT');
  return { port, uiPort };
}

/** Only we speak to the gateway, so where nobody named its port another does as well. */
async function settleNode(address: string, named: boolean, say: Say): Promise<string> {
  const at = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))];
  if (named || port === 0) return `${host}:${await claimPort(host, port, 'DROVER_NODE_ADDR')}`;
  const free = await nextFreePort(host, port);
  if (free !== port)
    say(`port ${port} is taken: the node gateway takes ${free} (DROVER_NODE_ADDR names another)`);
  return `${host}:${free}`;
}

/** An address that listens everywhere is reached here by loopback. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
