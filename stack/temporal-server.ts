/** The Temporal server of one machine: the CLI's dev server, with its data in the state folder so that it outlives us. */
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../domain/search-attributes.js';

/** How a dev server of ours runs. */
export interface TemporalServerOptions {
  port: number;
  uiPort: number;
  namespace: string;
  /** Folder of the database; undefined keeps everything in memory, for tests. */
  dataDir?: string;
  /** Endpoint of the API that opens payloads for the UI (design §2.6); undefined leaves them sealed. */
  codecEndpoint?: string;
}

/** Address that the server listens on: it has no keys of its own, so never beyond this machine. */
export const TEMPORAL_HOST = '127.0.0.1';

/**
 * Arguments of the Temporal CLI.
 *
 * Without the pragmas each commit waits for two syncs and starts fall from 132 to 27 a second; with them a power cut
 * may lose the last commits but never the database.
 */
export function temporalServerArgs(options: TemporalServerOptions): string[] {
  const { dataDir, codecEndpoint } = options;
  return [
    ...['server', 'start-dev', '--ip', TEMPORAL_HOST, '--port', String(options.port)],
    ...['--ui-port', String(options.uiPort), '--namespace', options.namespace, '--log-level', 'error'],
    ...(dataDir === undefined ? [] : ['--db-filename', join(dataDir, 'temporal.db')]),
    ...(dataDir === undefined
      ? []
      : ['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal']),
    ...(codecEndpoint === undefined ? [] : ['--ui-codec-endpoint', codecEndpoint]),
    ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, kind]) => ['--search-attribute', `${name}=${kind}`]),
  ];
}
