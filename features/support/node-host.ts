/** The host of a node that is not on this machine: a cable leads from it to Temporal, another to the APIs. */
import { NetworkHost } from '../../testing/network-host.js';

/** What such a node is connected to. */
export type NodeCable = 'Temporal' | 'the API';

/** A node's host. */
export type NodeHost = NetworkHost<NodeCable>;

/** Port of its gateway; nobody else is on the host. */
const GATEWAY_PORT = 9200;

/** Makes a host. */
export function makeNodeHost(): Promise<NodeHost> {
  return NetworkHost.make<NodeCable>(['Temporal', 'the API']);
}

/** Where the APIs find the gateway of the node on it. */
export function gatewayOn(host: NodeHost): string {
  return `http://${host.addressOn('the API')}:${GATEWAY_PORT}`;
}
