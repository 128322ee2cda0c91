/** The Temporal dev server of a run: in memory, on free ports, with a namespace for each stack that may be started. */
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attributes.js';
import { eventually } from '../../testing/changes.js';
import { freePort } from '../../testing/free-port.js';
import { Program } from '../../testing/program.js';
import type { RunFolders } from './places.js';

/** Namespaces that a run may use up; each costs the server a millisecond at start. */
export const SPARE_NAMESPACES = Array.from({ length: 96 }, (_, index) => `own-${index + 1}`);

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
export async function startTemporalServer(
  executable: string,
  folders: RunFolders,
  name: string,
  namespaces: readonly string[],
): Promise<TemporalServer> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const program = new Program({
    name,
    command: executable,
    args: [
      ...['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--log-level', 'error'],
      ...['--port', String(port), '--metrics-port', String(metricsPort), '--namespace', 'default'],
      ...namespaces.flatMap((namespace) => ['--namespace', namespace]),
      ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, kind]) => [
        '--search-attribute',
        `${name}=${kind}`,
      ]),
    ],
    env: { DROVER_TEST_RUN: folders.work },
    logFile: join(folders.logs, `${name}.log`),
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
      const next = namespaces[used++];
      if (next === undefined) throw new Error('no spare namespace is left: raise SPARE_NAMESPACES');
      return next;
    },
    async stop() {
      if (!program.running) return;
      await connection.close();
      await program.stop();
    },
  };
}
