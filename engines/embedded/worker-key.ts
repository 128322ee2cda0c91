/** The worker's key: by the environment or a file, for a command line is anybody's to read. */
import { readFileSync } from 'node:fs';

/** Variables of the key itself, and of the file that holds it. */
const KEY = 'DROVER_WORKER_KEY';
const KEY_FILE = 'DROVER_WORKER_KEY_FILE';

/** Reads the key and takes it out of the environment, which libraries may show; undefined where there is none. */
export function takeWorkerKey(env: Record<string, string | undefined>): string | undefined {
  const { [KEY]: given, [KEY_FILE]: file } = env;
  Reflect.deleteProperty(env, KEY);
  const key = given ?? (file === undefined ? undefined : readFileSync(file, 'utf8').trim());
  return key === '' ? undefined : key;
}
