/**
 * A PostgreSQL server of a test's own: a new cluster in a temporary folder on a free port. It does not run as root, so a
 * root gives it to the account `postgres`, or to `nobody`.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './changes.js';
import { freePort } from './free-port.js';

/** A running server. */
export interface PostgresServer {
  /** URL of a new, empty database. */
  newDatabase: () => string;
  /** Ends the server at once, connections and all; its data stay. */
  pause: () => Promise<void>;
  /** Starts it again where it was. */
  resume: () => Promise<void>;
  /** Ends it for good. */
  stop: () => Promise<void>;
}

/** Whom a program runs as; empty: as we do. */
interface Account {
  uid?: number;
  gid?: number;
}

/** Making a cluster takes a second; a busy machine may need many. */
const INITDB_LIMIT_MS = 60_000;

/** Where `npm test` has put PostgreSQL's programs; undefined where tests run without it. */
export const postgresPrograms = process.env['DROVER_TEST_POSTGRES'];

/** Starts a server. @throws Error when it does not come up */
export async function startPostgres(programs: string): Promise<PostgresServer> {
  const account = ordinaryAccount();
  const folder = mkdtempSync(join(tmpdir(), 'drover-postgres-'));
  if (account.uid !== undefined && account.gid !== undefined) chownSync(folder, account.uid, account.gid);
  const data = join(folder, 'data');
  const program = (name: string) => join(programs, name);
  execFileSync(
    program('initdb'),
    ['--pgdata', data, '--username', 'drover', '--auth', 'trust', '--encoding', 'UTF8', '--no-sync'],
    { ...account, cwd: folder, stdio: 'pipe', timeout: INITDB_LIMIT_MS },
  );
  const port = await freePort();
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', port };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const address = ['--host', '127.0.0.1', '--port', String(port)];
  const start = async (): Promise<ChildProcess> => {
    const started = spawn(program('postgres'), ['-D', data, ...args], {
      ...account,
      cwd: folder,
      stdio: 'ignore',
    });
    await eventually(
      () => 'PostgreSQL to accept connections',
      async () => {
        if (hasEnded(started)) throw new Error('PostgreSQL ended while it started');
        return succeeds(program('pg_isready'), address) ? true : undefined;
      },
    );
    return started;
  };
  let server = await start();
  let databases = 0;
  return {
    newDatabase: () => {
      const name = `test_${++databases}`;
      execFileSync(program('createdb'), [...address, '--username', 'drover', name], { stdio: 'pipe' });
      return `postgres://drover@127.0.0.1:${port}/${name}`;
    },
    pause: () => end(server),
    resume: async () => {
      server = await start();
    },
    stop: async () => {
      await end(server);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function end(server: ChildProcess): Promise<void> {
  if (hasEnded(server)) return;
  const ended = once(server, 'exit');
  server.kill('SIGQUIT'); // Immediate shutdown.
  await ended;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function succeeds(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'pipe' });
    return true;
  } catch {
    return false; // Not up yet.
  }
}

function ordinaryAccount(): Account {
  if (process.getuid?.() !== 0) return {};
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const found =
    accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
  if (found === undefined) throw new Error('PostgreSQL needs an account that is not root');
  return { uid: Number(found[2]), gid: Number(found[3]) };
}
