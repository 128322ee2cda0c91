/** Where the command line looks: its package, the user's configuration, the state folder of this checkout. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of this package, from wherever its modules run (`dist/` or the sources). */
export const PACKAGE_ROOT = packageRoot(dirname(fileURLToPath(import.meta.url)));

function packageRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : packageRoot(dirname(folder));
}

/** The version of this package. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The configuration of all users of this machine. */
export const SYSTEM_CONFIG_FILE = '/etc/drover/config.yaml';

/**
 * The one configuration file that counts: the one that `DROVER_CLI_CONFIG` names, whether or not it is there, else the first
 * that is there of the user's and the system's. Nothing of another file is added to it (B-CLI-009).
 */
export function configFile(env: Environment, systemFile: string = SYSTEM_CONFIG_FILE): string {
  const named = env['DROVER_CLI_CONFIG'];
  if (named !== undefined && named !== '') return resolve(named);
  const own = userConfigFile(env);
  return !existsSync(own) && existsSync(systemFile) ? systemFile : own;
}

/** The user's configuration file, by the rules of XDG: a relative `XDG_CONFIG_HOME` does not count. */
function userConfigFile(env: Environment): string {
  const home = env['XDG_CONFIG_HOME'];
  const base = home !== undefined && isAbsolute(home) ? home : join(env['HOME'] ?? homedir(), '.config');
  return join(base, 'drover', 'config.yaml');
}

/** The state folder that `npm start` uses. */
export function stateFolder(env: Environment): string {
  return resolve(PACKAGE_ROOT, env['DROVER_STATE_DIR'] ?? '.runtime');
}
