/**
 * An SSH server of a test's own: OpenSSH's `sshd` on a free loopback port, with a host key and a user's key that are made
 * for it. It leads a process group, which ends with it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { eventually } from './changes.js';
import { freePort } from './free-port.js';
import { killGroup } from './processes.js';
import { runToEnd } from './run-to-end.js';

/** Where Debian puts it. */
const USUAL_PLACE = '/usr/sbin/sshd';
/** Where `npm test` has found it; undefined where tests run without it. */
export const sshServerProgram =
  process.env['DROVER_TEST_SSHD'] ?? (existsSync(USUAL_PLACE) ? USUAL_PLACE : undefined);
/** A root's `sshd` insists on it; Debian's start script makes it. */
const PRIVILEGE_SEPARATION = '/run/sshd';

/** A running server. */
export class SshServer {
  private server: ChildProcess | undefined;
  /** Host key of the server, as `known_hosts` has it. */
  private readonly hostKey: string;

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {
    this.hostKey = publicKeyIn(join(folder, 'host'));
  }

  /** Starts one. @param settings - further lines of its configuration */
  static async start(settings: readonly string[] = []): Promise<SshServer> {
    if (sshServerProgram === undefined) throw new Error('DROVER_TEST_SSHD is not set: run npm test');
    const folder = mkdtempSync(join(tmpdir(), 'drover-sshd-'));
    await Promise.all(['host', 'user', 'other'].map((name) => makeKey(join(folder, name))));
    writeFileSync(join(folder, 'authorized_keys'), `${publicKeyIn(join(folder, 'user'))}\n`);
    const port = await freePort();
    const config = [
      ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${join(folder, 'host')}`, 'PidFile none'],
      ...[`AuthorizedKeysFile ${join(folder, 'authorized_keys')}`, 'StrictModes no', 'UsePAM no'],
      ...[
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'PermitRootLogin prohibit-password',
      ],
      ...settings,
    ];
    writeFileSync(join(folder, 'sshd_config'), `${config.join('\n')}\n`);
    const made = new SshServer(folder, port);
    await made.resume();
    return made;
  }

  /** What reaches it. */
  get place() {
    return {
      ssh_host: '127.0.0.1',
      ssh_port: this.port,
      ssh_user: userInfo().username,
      ssh_key_path: this.keyFile('user'),
    };
  }

  /** File of a private key: the one that the server accepts, or another one. */
  keyFile(whose: 'user' | 'other'): string {
    return join(this.folder, whose);
  }

  /** A file of known hosts that holds the server's key, a key that is not its own, or none. */
  knownHosts(holding: 'its key' | 'another key' | 'nothing' = 'its key'): string {
    const file = join(this.folder, `known hosts, ${holding}`);
    writeFileSync(file, '');
    if (holding !== 'nothing') this.makeKnown(file, holding);
    return file;
  }

  /** Adds the server's key, or one that is not its own, to a file of known hosts. */
  makeKnown(file: string, holding: 'its key' | 'another key' = 'its key'): void {
    const key = holding === 'its key' ? this.hostKey : publicKeyIn(this.keyFile('other'));
    appendFileSync(file, `[127.0.0.1]:${this.port} ${key}\n`);
  }

  /** A folder where Drover is installed, as far as anybody looks. */
  installation(): string {
    const folder = join(this.folder, 'installed');
    mkdirSync(join(folder, 'dist', 'workers', 'node'), { recursive: true });
    writeFileSync(join(folder, 'dist', 'workers', 'node', 'main.js'), '');
    return folder;
  }

  /** What the server has logged so far. */
  log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8');
  }

  /** Ends the server, connections and all; its port is free. */
  async pause(): Promise<void> {
    const { server } = this;
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    killGroup(server.pid);
    await ended;
  }

  /** Starts it again where it was. */
  async resume(): Promise<void> {
    if (process.getuid?.() === 0 && !existsSync(PRIVILEGE_SEPARATION))
      mkdirSync(PRIVILEGE_SEPARATION, { mode: 0o755 });
    const args = ['-D', '-f', join(this.folder, 'sshd_config'), '-E', join(this.folder, 'log')];
    const server = spawn(sshServerProgram ?? '', args, { stdio: 'ignore', detached: true });
    let failed: Error | undefined;
    server.once('error', (err) => (failed = err));
    this.server = server;
    await eventually(
      () => 'the SSH server to take connections',
      async () => {
        if (failed !== undefined) throw failed;
        if (server.exitCode !== null) throw new Error(`sshd ended while it started: ${this.log()}`);
        return (await listens(this.port)) ? true : undefined;
      },
    );
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    await this.pause();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function makeKey(file: string): Promise<void> {
  await runToEnd('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file]);
}

function publicKeyIn(file: string): string {
  return readFileSync(`${file}.pub`, 'utf8').trim();
}

function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = (result: boolean) => {
      socket.destroy();
      done(result);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
