/**
 * Which API is spoken to, with which key: what the command says, else the environment, else the configuration file, else what
 * `npm start` keeps in the state folder. A key that belongs to one address is never sent to another.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseJson } from '../../domain/json.js';
import { CliError } from '../client/cli-error.js';
import type { Target } from '../client/http.js';
import { configFile, stateFolder } from './places.js';

/** What the command line says. */
export interface TargetFlags {
  url?: string | undefined;
  key?: string | undefined;
}

/** A target, and where its parts come from. */
export interface FoundTarget extends Target {
  urlFrom: string;
  /** Undefined where there is no key. */
  keyFrom: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where `npm start` listens when nobody says otherwise. */
const DEFAULT_URL = 'http://127.0.0.1:8080';
/** What can be sent in a header. */
const ONE_LINE = /^[\x21-\x7e]+$/;
/** Bits of a file's mode that belong to the group and to all others. */
const FOREIGN_BITS = 0o077;

const userFile = z.strictObject({ url: z.string().optional(), key: z.string().optional() });
const stackFile = z.object({ urls: z.object({ api: z.string() }).nullable() });

interface Source {
  url?: string | undefined;
  key?: string | undefined;
  from: string;
  /** True where the key is meant for whatever address is spoken to. */
  anywhere: boolean;
}

/**
 * Finds the target.
 * @param systemFile - default: the configuration of all users of this machine
 * @throws CliError INVALID_ARGUMENT, INVALID_CONFIG
 */
export function findTarget(flags: TargetFlags, env: Environment, systemFile?: string): FoundTarget {
  const sources: Source[] = [
    { url: flags.url, key: flags.key, from: 'the command line', anywhere: true },
    { url: env['DROVER_URL'], key: env['DROVER_API_KEY'], from: 'the environment', anywhere: true },
    fileSource(configFile(env, systemFile), env['DROVER_CLI_CONFIG'] ?? ''),
    stateSource(env),
  ].map((source) => ({ ...source, url: filled(source.url), key: filled(source.key) }));
  const named = sources.find(({ url }) => url !== undefined);
  const url = checkedUrl(named?.url ?? DEFAULT_URL, named?.from ?? 'the default');
  const keyed = sources.find((source) => source.key !== undefined && isMeantFor(source, url));
  if (keyed?.key !== undefined && !ONE_LINE.test(keyed.key))
    throw CliError.of('INVALID_CONFIG', `the key from ${keyed.from} is not one line of printable characters`);
  return { url, key: keyed?.key, urlFrom: named?.from ?? 'the default', keyFrom: keyed?.from };
}

function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** A key without an address of its own belongs to where `npm start` listens by default. */
function isMeantFor({ url, anywhere }: Source, target: string): boolean {
  return anywhere || checkedUrl(url ?? DEFAULT_URL, 'the file') === target;
}

function checkedUrl(text: string, from: string): string {
  if (URL.canParse(text)) {
    const { protocol, origin, pathname, username, search } = new URL(text);
    if (/^https?:$/.test(protocol) && username === '' && search === '')
      return `${origin}${pathname.replace(/\/+$/, '')}`;
  }
  throw CliError.of('INVALID_ARGUMENT', `the URL from ${from} is not http(s)://<host>[:<port>]`, {
    suggestedAction: `name one such as ${DEFAULT_URL}`,
  });
}

/** @param named - what `DROVER_CLI_CONFIG` says; what somebody has named must be there */
function fileSource(path: string, named: string): Source {
  const text = textOf(path);
  if (text === undefined && named !== '')
    throw CliError.of('INVALID_CONFIG', `${path}, which DROVER_CLI_CONFIG names, is not there`);
  if (text === undefined) return { from: path, anywhere: false };
  const found = userFile.safeParse(parsedYaml(path, text) ?? {});
  if (!found.success) {
    const [issue] = found.error.issues;
    throw CliError.of('INVALID_CONFIG', `${path}: ${issue?.message ?? 'is not as expected'}`, {
      suggestedAction: 'it may have "url:" and "key:", each one line of text',
    });
  }
  if (found.data.key !== undefined) requireOwn(path);
  return { ...found.data, from: path, anywhere: false };
}

/** What `npm start` keeps: where it answers, and the key that it made. */
function stateSource(env: Environment): Source {
  const folder = stateFolder(env);
  // Where it is being written, the default address may be right.
  const stack = stackFile.safeParse(parseJson(textOf(join(folder, 'stack.json')) ?? ''));
  const [given] = (env['DROVER_API_KEYS'] ?? '').split(',').map((key) => key.trim());
  const key = filled(given) ?? textOf(join(folder, 'api-key'))?.trim();
  return { url: stack.data?.urls?.api, key, from: folder, anywhere: false };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? String(err.code) : String(err);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw CliError.of('INVALID_CONFIG', `${path} cannot be read (${code})`, { cause: err });
  }
}

/** Nobody else may have read a key. */
function requireOwn(path: string): void {
  if ((statSync(path).mode & FOREIGN_BITS) === 0) return;
  throw CliError.of('INVALID_CONFIG', `${path} holds a key, and others on this machine may read it`, {
    suggestedAction: `chmod 600 ${path}`,
  });
}

function parsedYaml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (err) {
    // The parser's words repeat the line, which may be the key.
    throw CliError.of('INVALID_CONFIG', `${path} is not YAML`, { cause: err });
  }
}
