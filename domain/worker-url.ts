/** Where a worker may say that it is: scheme, host and port, each written out (nodes-and-workers 5). */

const WORKER_URL = /^https?:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+):(\d{1,5})(?:\/[^\s?#]*)?$/i;

/** True for `http://` or `https://` with a host and a port; a default port is not meant by leaving it out. */
export function isWorkerUrl(url: string): boolean {
  const port = Number(WORKER_URL.exec(url)?.[1] ?? NaN);
  return port >= 1 && port <= 65_535;
}
