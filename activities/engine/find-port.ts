/** The port an engine will listen on: the wanted one, else the next that is free (B-PREFLIGHT-023). */
import { createServer } from 'node:net';
import { portCandidates, type PortRange } from '../../domain/engine-port.js';

/** What is wanted. */
export interface PortWish {
  host: string;
  port: number;
  port_fixed: boolean;
  /** Where it may go when that is taken. */
  range: PortRange;
}

/**
 * The first candidate that is promised to nobody and can be listened on.
 * @returns undefined when none is
 */
export async function findPort(
  { host, port, port_fixed, range }: PortWish,
  promised: ReadonlySet<number>,
): Promise<number | undefined> {
  for (const candidate of portCandidates(port, port_fixed, range)) {
    if (!promised.has(candidate) && (await canListen(host, candidate))) return candidate;
  }
  return undefined;
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
