/** A port that nobody listens on now; whoever takes it soon will find it free. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Asks the system for a free port of the loopback interface. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
