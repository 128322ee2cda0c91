/** Options that say of a node how SSH reaches it and where Drover is on it. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { NodeChanges } from '../../contracts/registered-node.js';
import { CliError } from '../client/cli-error.js';
import { several, wholeNumber } from '../session.js';

/** A node's name, as an argument or, in the commands under `setup`, as an option. */
export interface NamedNode {
  name?: string;
  node?: string;
}

/** What may be said of a node. */
export interface PlaceOptions extends NamedNode {
  sshHost?: string;
  sshPort?: number;
  sshUser?: string;
  sshKey?: string;
  gitRepo?: string;
  gitBranch?: string;
  installPath?: string;
  backend?: readonly string[];
  keyElsewhere?: boolean;
}

/** Adds the options; with `all` those that a new node must have are required. */
export function placeOptions(command: Command, all: boolean): Command {
  const must = (flags: string, what: string) =>
    all ? command.requiredOption(flags, what) : command.option(flags, what);
  must('--ssh-host <host>', 'name or address of the machine');
  must('--ssh-user <user>', 'its user');
  must('--ssh-key <file>', 'file of the private key; only its path is kept');
  must('--git-repo <url>', 'where Drover is cloned from: https://…, ssh://… or <user>@<host>:<path>');
  must('--install-path <path>', 'folder of Drover on the node');
  return command
    .option('--git-branch <branch>', `its branch${all ? '; "main" unless said otherwise' : ''}`)
    .option('--ssh-port <n>', `port of its SSH server${all ? '; 22 unless said otherwise' : ''}`, wholeNumber)
    .option('--backend <backend>', 'cpu, cuda or metal; may be given several times', several)
    .option(
      '--key-elsewhere',
      'the key is a file of the control worker on another machine: do not look here',
    );
}

/** The node that is meant. */
export function nameOf(args: readonly (string | undefined)[], { name, node }: NamedNode): string {
  return args[0] ?? name ?? node ?? '';
}

/** What the options say, as the API takes it. @throws CliError SSH_KEY_NOT_FOUND before anything is sent (B-NODE-005) */
export async function placeIn(options: PlaceOptions): Promise<NodeChanges> {
  const { sshHost, sshPort, sshUser, sshKey, gitRepo, gitBranch, installPath, backend } = options;
  const key = sshKey === undefined ? undefined : await keyPath(sshKey, options.keyElsewhere === true);
  return given({
    ...{ ssh_host: sshHost, ssh_port: sshPort, ssh_user: sshUser, ssh_key_path: key },
    ...{ git_repo_url: gitRepo, git_branch: gitBranch, install_path: installPath, backends: backend },
  });
}

/** Only what was said; whether it will do is for the API to say. */
function given(fields: Record<string, unknown>): NodeChanges {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** `~` stays: it is the home of whoever reads the key. */
async function keyPath(path: string, elsewhere: boolean): Promise<string> {
  const sent = path.startsWith('~/') ? path : resolve(path);
  if (elsewhere) return path;
  const here = sent.startsWith('~/') ? `${homedir()}${sent.slice(1)}` : sent;
  await access(here, constants.R_OK).catch((cause: unknown) => {
    throw CliError.of('SSH_KEY_NOT_FOUND', `the file of the key ${path} is not there, or cannot be read`, {
      details: { path: here },
      cause,
    });
  });
  return sent;
}
