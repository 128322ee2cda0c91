/**
 * The configuration file, `drover.yaml`: the settings by their own names, and under `pools:` the pools that shall serve. It
 * is read whole or not at all, and whatever is wrong with it is told with its line and path.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LineCounter, parseDocument, type Document } from 'yaml';
import { poolEntries, type PoolEntry } from './pool-entry.js';
import { withoutAliases } from './setting-aliases.js';
import { settingsSchema, SettingsError } from './settings.js';

/** What stands in the file. */
export interface ConfigFile {
  path: string;
  /** The settings that it gives, as the environment would hold them. */
  settings: Record<string, string>;
  /** The pools that it names; undefined where it has no `pools:` at all, and so leaves pools alone. */
  pools: PoolEntry[] | undefined;
}

/** One thing that is wrong with the file. */
export interface ConfigProblem {
  /** Of the file, from 1; undefined where the whole file is meant. */
  line: number | undefined;
  /** Such as `pools[0].model`; empty for the whole file. */
  path: string;
  problem: string;
}

/** A file that cannot be used; the message has one line a problem, and repeats no value (it may be a key). */
export class ConfigFileError extends SettingsError {
  constructor(
    readonly file: string,
    readonly problems: readonly ConfigProblem[],
  ) {
    super(problems.map((problem) => `${file}${lineOf(problem)}: ${inWords(problem)}`).join('\n'));
  }
}

/** A setting that the environment gives otherwise than the file. */
export interface Override {
  setting: string;
  file_value: string;
  environment_value: string;
}

const HIDDEN = '[REDACTED]';
/** Settings whose values nobody may read in a log; those that name a secret's file may be. */
const SECRET = /KEYS?$|TOKENS?$|SECRETS?$|^DATABASE_URL$/;
/** The one setting that says where the file is. */
const OWN_NAME = 'DROVER_CONFIG';

/**
 * Reads the file.
 * @returns undefined when it is not there
 * @throws ConfigFileError naming everything that is wrong with it
 */
export function readConfigFile(path: string): ConfigFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? String(err.code) : String(err);
    if (code === 'ENOENT') return undefined;
    throw new ConfigFileError(path, [{ line: undefined, path: '', problem: `cannot be read (${code})` }]);
  }
  return parseConfigFile(text, path);
}

/** Reads the file's text. @throws ConfigFileError */
export function parseConfigFile(text: string, path: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const problem = broken.message.replace(/ at line \d[\s\S]*$/, '');
    const line = broken.linePos?.[0].line;
    throw new ConfigFileError(path, [{ line, path: '', problem: `is not YAML: ${problem}` }]);
  }
  const { settings, pools, problems } = contentOf(document.toJS());
  if (problems.length === 0) return { path, settings, pools };
  const placed = problems.map(({ at, problem }) => ({
    line: lineAt(document, lines, at),
    path: pathText(at),
    problem,
  }));
  throw new ConfigFileError(path, placed);
}

/** An environment with the file that it names under it. */
export interface Configured {
  env: Environment;
  /** Undefined where no file is named. */
  file: ConfigFile | undefined;
  /** What the environment says otherwise than the file; it wins. */
  overrides: Override[];
}

type Environment = Record<string, string | undefined>;

/**
 * Reads the file that the environment names, and puts its settings under the environment's own. Aliases are settings from
 * here on; an empty value counts as unset.
 * @throws ConfigFileError, also where the named file does not exist (B-CFG-016)
 */
export function withConfigFile(given: Environment): Configured {
  const env = withoutAliases(given);
  const named = env[OWN_NAME];
  if (named === undefined) return { env, file: undefined, overrides: [] };
  const path = resolve(named);
  const file = readConfigFile(path);
  if (file === undefined) {
    const problem = `does not exist; ${OWN_NAME} names it`;
    throw new ConfigFileError(path, [{ line: undefined, path: '', problem }]);
  }
  return {
    env: { ...withoutTwins(file.settings, env), ...env, [OWN_NAME]: path },
    file,
    overrides: overridesOf(file, env),
  };
}

/** A secret that the environment gives wins over the file's in either form: as it is, or as the name of a file. */
function withoutTwins(settings: Record<string, string>, env: Environment): Record<string, string> {
  const twinOf = (name: string) => (name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : `${name}_FILE`);
  return Object.fromEntries(Object.entries(settings).filter(([name]) => env[twinOf(name)] === undefined));
}

function overridesOf({ settings }: ConfigFile, env: Environment): Override[] {
  return Object.entries(settings).flatMap(([setting, fromFile]) => {
    const value = env[setting];
    if (value === undefined || value === fromFile) return [];
    const shown = (text: string) => (SECRET.test(setting) ? HIDDEN : text);
    return [{ setting, file_value: shown(fromFile), environment_value: shown(value) }];
  });
}

/** The file in a log line: what it sets, without secrets, and its pools (B-OBS-050). */
export function loggedConfig({ path: file, settings, pools }: ConfigFile) {
  const shown = Object.entries(settings).map(([name, value]) => [name, SECRET.test(name) ? HIDDEN : value]);
  return {
    file,
    settings: Object.fromEntries(shown) as Record<string, string>,
    pools: pools?.map(({ id }) => id) ?? null,
  };
}

interface FoundProblem {
  at: readonly PropertyKey[];
  problem: string;
}

function contentOf(document: unknown): Omit<ConfigFile, 'path'> & { problems: FoundProblem[] } {
  const nothing = { settings: {}, pools: undefined };
  if (document === null || document === undefined) return { ...nothing, problems: [] };
  if (typeof document !== 'object' || Array.isArray(document)) {
    const problem = 'must hold one setting a line, such as "DROVER_API_PORT: 8080", and pools under "pools:"';
    return { ...nothing, problems: [{ at: [], problem }] };
  }
  const { pools: listed, ...named } = document as Record<string, unknown>;
  const { settings, problems } = settingsOf(named);
  if (listed === undefined) return { settings, pools: undefined, problems };
  const parsed = poolEntries.safeParse(listed);
  if (parsed.success) return { settings, pools: parsed.data, problems };
  const wrong = parsed.error.issues.flatMap((issue) => {
    const at = ['pools', ...issue.path];
    if (issue.code !== 'unrecognized_keys') return [{ at, problem: issue.message }];
    return issue.keys.map((key) => ({ at: [...at, key], problem: 'is no field of a pool' }));
  });
  return { settings, pools: undefined, problems: [...problems, ...wrong] };
}

function settingsOf(named: Record<string, unknown>) {
  const settings: Record<string, string> = {};
  const problems: FoundProblem[] = [];
  for (const [name, value] of Object.entries(named)) {
    const written = asWritten(value);
    if (name === OWN_NAME)
      problems.push({ at: [name], problem: 'names this file, so it cannot stand in it' });
    else if (!Object.hasOwn(settingsSchema.shape, name))
      problems.push({ at: [name], problem: 'is no setting' });
    else if (written === undefined)
      problems.push({ at: [name], problem: 'must be a text, a number, true or false, or a list of them' });
    else if (written !== '') settings[name] = written;
  }
  return { settings, problems };
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

/** The line of what is meant, or of the nearest thing around it that stands in the file. */
function lineAt(document: Document, lines: LineCounter, at: readonly PropertyKey[]): number | undefined {
  for (let length = at.length; length > 0; length -= 1) {
    const node = document.getIn(at.slice(0, length), true) as { range?: [number, ...unknown[]] } | undefined;
    if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

function pathText(at: readonly PropertyKey[]): string {
  return at
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}

function lineOf({ line }: ConfigProblem): string {
  return line === undefined ? '' : `:${line}`;
}

function inWords({ path, problem }: ConfigProblem): string {
  return path === '' ? problem : `${path} ${problem}`;
}
