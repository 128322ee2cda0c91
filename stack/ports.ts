/** Ports, looked at before anything is started, so that a taken one is told in one line and nothing is left running. */
import { createServer } from 'node:net';
import { StackError } from './stack-error.js';

/** Highest port that is tried for something whose port nobody named. */
const HIGHEST_PORT = 65_535;

/** Resolves to the port that could be listened on (`port`, or a free one for 0), or to why it could not. */
async function tryPort(host: string, port: number): Promise<number | { code: string }> {
  const server = createServer();
  return new Promise((done) => {
    server.once('error', (err: NodeJS.ErrnoException) => done({ code: err.code ?? err.message }));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const found = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => done(found));
    });
  });
}

/**
 * The port to use for a setting: the named one, or a free one where it says 0.
 * @param setting - what to change when the port is taken
 * @throws StackError when the port is taken or may not be used
 */
export async function claimPort(host: string, port: number, setting: string): Promise<number> {
  const result = await tryPort(host, port);
  if (typeof result === 'number') return result;
  throw new StackError(portTrouble(host, port, setting, result.code));
}

function portTrouble(host: string, port: number, setting: string, code: string): string {
  if (code === 'EADDRINUSE') {
    return `port ${port} on ${host} is taken by another process; end it or set ${setting} to a free port (0 takes any)`;
  }
  if (code === 'EACCES') return `port ${port} needs more rights; set ${setting} to one above 1023`;
  return `cannot listen on ${host}:${port} (${code}); check ${setting}`;
}

/** The port, or the next free one above it: for what nobody has named. */
export async function nextFreePort(host: string, from: number): Promise<number> {
  for (let port = from; port <= HIGHEST_PORT; port += 1) {
    if (typeof (await tryPort(host, port)) === 'number') return port;
  }
  throw new StackError(`no free port on ${host} from ${from} on`);
}
