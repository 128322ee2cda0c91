/** The Temporal dev server of a run: in memory, on free ports, with a namespace for each stack that may be started. */
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attributes.js';
import { eventually } from '../../testing/changes.js';
import { freePort } from '../../testing/free-port.js';
import { Program } from '../../testing/program.js';
import type { RunFolders } from './places.js';

/** Namespaces beside `default`; each costs the server a millisecond at start. */
const SPARE_NAMESPACES = 48;

/** A running Temporal. */
export interface TemporalServer {
  address: string;
  program: Program;
  connection: Connection;
  /** A namespace that nobody has used yet, so that no worker of another stack takes this one's work. */
  nextNamespace(): string;
  stop(): Promise<void>;
}

/** Starts it and waits until it answers. */
export async function startTemporalServer(executable: string, folders: RunFolders): Promise<TemporalServer> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const spare = Array.from({ length: SPARE_NAMESPACES }, (_, index) => `own-${index + 1}`);
  const program = new Program({
    name: 'temporal',
    command: executable,
    args: [
      ...['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--log-level', 'error'],
      ...['--port', String(port), '--metrics-port', String(metricsPort), '--namespace', 'default'],
      ...spare.flatMap((name) => ['--namespace', name]),
      ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, kind]) => [
        '--search-attribute',
        `${name}=${kind}`,
      ]),
    ],
    env: { DROVER_TEST_RUN: folders.work },
    logFile: join(folders.logs, 'temporal.log'),
  });
  const address = `127.0.0.1:${port}`;
  const connection = await eventually(
    () => `Temporal at ${address}\n${program.lastWords}`,
    () => {
      if (!program.running) throw new Error(`Temporal ended at once\n${program.lastWords}`);
      return Connection.connect({ address, connectTimeout: 1_000 }).catch(() => undefined);
    },
  );
  let used = 0;
  return {
    address,
    program,
    connection,
    nextNamespace: () => {
      const name = spare[used++];
      if (name === undefined) throw new Error('no spare namespace is left: raise SPARE_NAMESPACES');
      return name;
    },
    async stop() {
      await connection.close();
      await program.stop();
    },
  };
}
