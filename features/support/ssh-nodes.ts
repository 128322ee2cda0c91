/** Machines with SSH servers, as a scenario adds them to the registry of its stack. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageVersion } from '../../telemetry/package-version.js';
import { GitOrigin } from '../../testing/git-origin.js';
import { isAlive, killGroup } from '../../testing/processes.js';
import { SshServer } from '../../testing/ssh-server.js';
import { PROGRAMS } from './places.js';
import type { Stack } from './stack.js';

/** What the control worker knows of a machine's host key. */
export type HostKeyKnown = 'its key' | 'another key' | 'nothing';

/** The machines of one scenario; it speaks of the newest. */
export class SshNodes {
  private readonly servers: SshServer[] = [];
  private origin: GitOrigin | undefined;
  private folder: string | undefined;

  /** Starts a machine's SSH server, and makes its host key known to the stack, or another one, or none. */
  async start({ knownHosts }: Stack, known: HostKeyKnown): Promise<void> {
    // Sessions find the Node.js of the tests, as on a machine where it is installed.
    const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
    const server = await SshServer.start([`SetEnv PATH=${path}`]);
    this.servers.push(server);
    if (known !== 'nothing') server.makeKnown(knownHosts, known);
  }

  /** The newest machine. @throws Error when the scenario has none */
  get server(): SshServer {
    const server = this.servers.at(-1);
    if (server === undefined) throw new Error('the scenario has no machine with an SSH server');
    return server;
  }

  /** Serves a repository whose build makes Drover's own node worker, to be installed on the newest machine. */
  async serveOrigin(): Promise<void> {
    const program = `await import(${JSON.stringify(pathToFileURL(PROGRAMS.node).href)});\n`;
    this.origin = await GitOrigin.start({ program, version: packageVersion() });
    this.folder = mkdtempSync(join(tmpdir(), 'drover-node-'));
  }

  /** What adds the newest machine to the registry. */
  requestAs(node_name: string, whose: 'user' | 'other' = 'user'): Record<string, unknown> {
    const { server } = this;
    return {
      ...server.place,
      node_name,
      ssh_key_path: server.keyFile(whose),
      git_repo_url: this.origin?.url ?? 'https://git.example/drover.git',
      install_path: this.folder === undefined ? server.installation() : join(this.folder, 'drover'),
    };
  }

  /** Ends all of them, and what was installed there. */
  async stop(): Promise<void> {
    if (this.folder !== undefined) {
      const state = join(this.folder, 'drover', '.runtime');
      for (const pid of [...pidsIn(state), ...pidsIn(join(state, 'node'))]) if (isAlive(pid)) killGroup(pid);
      rmSync(this.folder, { recursive: true, force: true });
    }
    await this.origin?.stop();
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/** Numbers in the pid files of a folder. */
function pidsIn(folder: string): number[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith('.pid'));
  return files.map((name) => Number(readFileSync(join(folder, name), 'utf8'))).filter((pid) => pid > 1);
}
