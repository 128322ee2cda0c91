/** Where this machine's own processes reach the gateway. */

/** Addresses that mean all of a machine's, and the one of them that is its own. */
const OWN: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]', '': '127.0.0.1' };

/**
 * URL of a path of the gateway.
 * @param address - `host:port` as the gateway is told to listen; null where the port is any
 */
export function gatewayUrl(address: string, path: string): string | null {
  const at = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, at), address.slice(at + 1)];
  return port === '0' ? null : `http://${OWN[host] ?? host}:${port}${path}`;
}
