/** Addresses and names that only this machine answers to. */

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]', '::1'];

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return LOOPBACK_NAMES.includes(host) || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** The name in a `Host` header, without the port, in lower case. */
export function hostName(header: string): string {
  return header.toLowerCase().replace(/:\d*$/, '');
}

/**
 * True for a request to a service on loopback `bind` that names another machine: a page in a browser made its own name lead
 * here (DNS rebinding). One without `Host` (HTTP/1.0) comes from no browser.
 */
export function isRebound(bind: string, hostHeader: string | undefined): boolean {
  if (hostHeader === undefined || !isLoopback(bind)) return false;
  const name = hostName(hostHeader);
  return name !== bind && !LOOPBACK_NAMES.includes(name);
}
