/** The settings of `npm start`: `drover.yaml` under the environment, checked before anything is started or written. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { withConfigFile, type Configured } from '../contracts/config-file.js';
import { withoutAliases } from '../contracts/setting-aliases.js';
import { readSettings, SettingsError, type Settings } from '../contracts/settings.js';
import { parsePayloadKeys } from '../security/payload-keys.js';
import { withSecretFiles } from '../security/secret-files.js';
import { readTlsFiles } from '../security/tls-files.js';
import { StackError } from './stack-error.js';

/** A key that others than this machine may try has to be beyond guessing. */
const LEAST_KEY_LENGTH = 16;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** Name of the configuration file in the folder where `npm start` runs, where none is named. */
const CONFIG_FILE = 'drover.yaml';

/** What `npm start` runs with. */
export interface Configuration {
  settings: Settings;
  /** The environment of our processes, before what is worked out at start. */
  env: Record<string, string>;
  /** The configuration file, and what the environment says otherwise. */
  config: Pick<Configured, 'file' | 'overrides'>;
}

/**
 * Reads and checks the settings.
 * @param folder - where `drover.yaml` may stand
 * @throws StackError with one line a wrong setting
 */
export function readConfiguration(folder: string, env: Record<string, string | undefined>): Configuration {
  const { merged, settings, config } = checked(withDefaultFile(join(folder, CONFIG_FILE), env));
  const wrong = [...keyTrouble(settings), ...payloadKeyTrouble(settings), ...addressTrouble(settings)];
  if (wrong.length > 0) throw new StackError(wrong.join('\n'));
  const given = Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { settings, env: Object.fromEntries(given), config };
}

type Environment = Record<string, string | undefined>;

function withDefaultFile(path: string, given: Environment): Environment {
  const env = withoutAliases(given);
  return env['DROVER_CONFIG'] === undefined && existsSync(path) ? { ...env, DROVER_CONFIG: path } : env;
}

function checked(env: Environment): { merged: Environment; settings: Settings; config: Configured } {
  try {
    const config = withConfigFile(env);
    const { env: merged } = withSecretFiles(config.env);
    const settings = readSettings(merged);
    readTlsFiles(settings);
    return { merged, settings, config };
  } catch (err) {
    if (err instanceof SettingsError) throw new StackError(err.message, { cause: err });
    throw err;
  }
}

function keyTrouble({ DROVER_API_HOST: host, DROVER_API_KEYS: keys }: Settings): string[] {
  if (LOOPBACK.test(host)) return [];
  if (keys.length === 0)
    return [`DROVER_API_KEYS: must be set where DROVER_API_HOST (${host}) is beyond this machine`];
  return keys.every((key) => key.length >= LEAST_KEY_LENGTH)
    ? []
    : [
        `DROVER_API_KEYS: each key must have ${LEAST_KEY_LENGTH} characters or more where DROVER_API_HOST is beyond this machine`,
      ];
}

function payloadKeyTrouble({ DROVER_PAYLOAD_KEYS: keys }: Settings): string[] {
  if (keys === undefined) return [];
  try {
    parsePayloadKeys(keys);
    return [];
  } catch (err) {
    return [`DROVER_PAYLOAD_KEYS: ${err instanceof Error ? err.message : String(err)}`];
  }
}

function addressTrouble({ TEMPORAL_ADDRESS: address }: Settings): string[] {
  if (address === undefined || /^\S+:\d{1,5}$/.test(address)) return [];
  return ['TEMPORAL_ADDRESS: must be host:port, such as 127.0.0.1:7233'];
}
