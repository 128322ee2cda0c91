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

/** The user's configuration file, by the rules of XDG: a relative `XDG_CONFIG_HOME` does not count. */
export function configFile(env: Environment): string {
  const home = env['XDG_CONFIG_HOME'];
  const base = home !== undefined && isAbsolute(home) ? home : join(env['HOME'] ?? homedir(), '.config');
  return join(base, 'drover', 'config.yaml');
}

/** The state folder that `npm start` uses. */
export function stateFolder(env: Environment): string {
  return resolve(PACKAGE_ROOT, env['DROVER_STATE_DIR'] ?? '.runtime');
}
