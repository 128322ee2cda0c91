/** Which engines a handoff may announce: those of this machine, and of networks that the operator named (B-BG-025). */
import { BlockList, isIP } from 'node:net';

/**
 * Builds the check of an engine's url.
 * @param networks - CIDR blocks, checked by the settings
 * @returns a function that answers why a url is refused, or undefined
 */
export function allowHosts(networks: readonly string[]): (url: string) => string | undefined {
  const allowed = new BlockList();
  for (const network of ['127.0.0.0/8', '::1/128', ...networks]) {
    const [address = '', prefix = ''] = network.split('/');
    allowed.addSubnet(address, Number(prefix), familyOf(address));
  }
  return (url) => {
    const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
    if (host === 'localhost') return undefined;
    if (isIP(host) === 0) return `the host ${host} is no address; only localhost goes by its name`;
    if (allowed.check(host, familyOf(host))) return undefined;
    return `the host ${host} is neither this machine nor in DROVER_NODE_HANDOFF_NETWORKS`;
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
