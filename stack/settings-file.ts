/**
 * `drover.yaml`: the settings by their own names, for those who prefer a file to variables. The environment wins over
 * the file; a name that is no setting is refused, because a misspelt one would otherwise be silently ignored.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { settingsSchema } from '../contracts/settings.js';
import { errorCode } from './error-code.js';
import { StackError } from './stack-error.js';

/** Name of the settings file in the folder where `npm start` runs. */
export const SETTINGS_FILE = 'drover.yaml';

type Environment = Record<string, string | undefined>;

/**
 * The environment with the file's settings under it.
 * @param path - of the file; one that is not there counts as empty
 * @throws StackError naming every entry that cannot be used
 */
export function withSettingsFile(path: string, env: Environment): Environment {
  const text = readIfThere(path);
  if (text === undefined) return env;
  const fromFile = settingsIn(text, path);
  const fromEnv = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  return { ...fromFile, ...fromEnv };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (err) {
    if (errorCode(err) === 'ENOENT') return undefined;
    throw new StackError(`cannot read ${path}: ${String(err)}`);
  }
}

function settingsIn(text: string, path: string): Record<string, string> {
  const document = parseYaml(text, path);
  if (document === null || document === undefined) return {};
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new StackError(`${path} must hold one setting a line, such as "DROVER_API_PORT: 8080"`);
  }
  const known = new Set(Object.keys(settingsSchema.shape));
  const wrong: string[] = [];
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(document)) {
    const written = asWritten(value);
    if (!known.has(name)) wrong.push(`${name} is no setting`);
    else if (written === undefined)
      wrong.push(`${name} must be a text, a number, true or false, or a list of them`);
    else if (written !== '') settings[name] = written;
  }
  if (wrong.length > 0) throw new StackError(`${path}: ${wrong.join('; ')}`);
  return settings;
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (err) {
    throw new StackError(
      `${path} is not YAML: ${err instanceof Error ? err.message.split('\n')[0] : String(err)}`,
    );
  }
}

/** A value as the environment would hold it; undefined when it cannot. */
function asWritten(value: unknown): string | undefined {
  if (value === null) return '';
  if (Array.isArray(value)) {
    const entries = value.map(asWritten);
    return entries.every((entry) => entry !== undefined) ? entries.join(',') : undefined;
  }
  const simple = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  return simple ? String(value) : undefined;
}
