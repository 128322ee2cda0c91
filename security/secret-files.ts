/**
 * Secrets from files instead of the environment, where every child process and `ps` could read them (B-AUTH-019,
 * B-SECR-001..007): `<NAME>_FILE` names one, and systemd's credential directory is looked into for one called `<NAME>`.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsError } from '../contracts/settings.js';

/** The settings that are secrets. */
const SECRET_SETTINGS = [
  'DROVER_API_KEYS',
  'DROVER_NODE_TOKEN',
  'AUTH_TOKEN',
  'LLORCH_API_TOKEN',
  'DROVER_PAYLOAD_KEYS',
  'DROVER_CODEC_SECRET',
  'HF_TOKEN',
  'DROVER_NODE_ENGINE_KEYS',
  'DATABASE_URL',
] as const;

/** A secret that was read, and from where; its value is told to nobody. */
export interface LoadedSecret {
  setting: string;
  path: string;
}

/** Nobody but the owner. */
const OTHERS = 0o077;
const EXPECTED = '0600 or 0400';

type Environment = Record<string, string | undefined>;

/**
 * The environment with every secret in it that a file holds. A secret that stands in the environment itself wins over
 * systemd's directory, which a unit may share; naming it twice by hand is refused.
 * @throws SettingsError that names the file and what is wrong with it, never what it holds
 */
export function withSecretFiles(env: Environment): { env: Environment; loaded: LoadedSecret[] } {
  const loaded = SECRET_SETTINGS.flatMap((setting) => {
    const path = fileOf(setting, env);
    return path === undefined ? [] : [{ setting, path, value: readSecret(setting, path) }];
  });
  const values = Object.fromEntries(loaded.map(({ setting, value }) => [setting, value]));
  // The files' names go: a process that is started with this environment has the secrets already.
  const names = Object.fromEntries(SECRET_SETTINGS.map((setting) => [`${setting}_FILE`, undefined]));
  return {
    env: { ...env, ...names, ...values },
    loaded: loaded.map(({ setting, path }) => ({ setting, path })),
  };
}

function fileOf(setting: string, env: Environment): string | undefined {
  const named = env[`${setting}_FILE`];
  const isSet = isGiven(env[setting]);
  if (isGiven(named)) {
    if (isSet) throw new SettingsError(`${setting} and ${setting}_FILE are both set: which one holds?`);
    return named;
  }
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (isSet || !isGiven(folder)) return undefined;
  const path = join(folder, setting);
  return statSync(path, { throwIfNoEntry: false }) === undefined ? undefined : path;
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

function readSecret(setting: string, path: string): string {
  const value = readOwnFile(setting, path).replace(/\r?\n$/, '');
  if (value.trim() === '') throw refusal(setting, path, 'is empty');
  if (/[\r\n]/.test(value)) throw refusal(setting, path, 'has more than one line');
  return value;
}

/** Reads a file that nobody but its owner may read. @throws SettingsError when others may, or when it cannot be read */
export function readOwnFile(setting: string, path: string): string {
  try {
    const { mode } = statSync(path);
    if ((mode & OTHERS) !== 0) {
      const actual = (mode & 0o777).toString(8).padStart(4, '0');
      throw refusal(setting, path, `has the mode ${actual}, expected ${EXPECTED}: others could read it`);
    }
    return readFileSync(path, 'utf8');
  } catch (err) {
    if (err instanceof SettingsError) throw err;
    throw refusal(setting, path, `cannot be read (${(err as { code?: string }).code ?? 'unknown'})`);
  }
}

function refusal(setting: string, path: string, problem: string): SettingsError {
  return new SettingsError(`${setting}: the file ${path} ${problem}`);
}
