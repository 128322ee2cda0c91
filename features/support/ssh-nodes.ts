/** Machines with SSH servers, as a scenario adds them to the registry of its stack. */
import { SshServer } from '../../testing/ssh-server.js';
import type { Stack } from './stack.js';

/** What the control worker knows of a machine's host key. */
export type HostKeyKnown = 'its key' | 'another key' | 'nothing';

/** The machines of one scenario; it speaks of the newest. */
export class SshNodes {
  private readonly servers: SshServer[] = [];

  /** Starts a machine's SSH server, and makes its host key known to the stack, or another one, or none. */
  async start({ knownHosts }: Stack, known: HostKeyKnown): Promise<void> {
    const server = await SshServer.start();
    this.servers.push(server);
    if (known !== 'nothing') server.makeKnown(knownHosts, known);
  }

  /** The newest machine. @throws Error when the scenario has none */
  get server(): SshServer {
    const server = this.servers.at(-1);
    if (server === undefined) throw new Error('the scenario has no machine with an SSH server');
    return server;
  }

  /** What adds the newest machine to the registry. */
  requestAs(node_name: string, whose: 'user' | 'other' = 'user'): Record<string, unknown> {
    const { server } = this;
    return {
      ...server.place,
      node_name,
      ssh_key_path: server.keyFile(whose),
      git_repo_url: 'https://git.example/drover.git',
      install_path: server.installation(),
    };
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}
