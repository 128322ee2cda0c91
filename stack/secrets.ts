/**
 * The secrets of one installation: made once, kept in the state folder with mode 600, never printed but the API key.
 * A file that others may read is refused instead of quietly repaired: what was readable has to be changed.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newPayloadKey, parsePayloadKeys } from '../security/payload-keys.js';
import type { Settings } from '../contracts/settings.js';
import { errorCode } from './error-code.js';
import { StackError } from './stack-error.js';

/** Bits of a file's mode that belong to the group and to all others. */
const FOREIGN_BITS = 0o077;
/** 192 bits: beyond guessing, and still a line that can be pasted. */
const SECRET_BYTES = 24;
/** What can be sent in a header. */
const ONE_LINE = /^[\x21-\x7e]+$/;

/** Everything that our processes must share and nobody else may know. */
export interface Secrets {
  /** Accepted API keys, comma-separated. */
  apiKeys: string;
  nodeToken: string;
  payloadKeys: string;
  codecSecret: string;
}

/**
 * Reads the secrets, making those that neither a setting nor an earlier start gives.
 * @throws StackError when a file of secrets may be read by others
 */
export async function readSecrets(stateDir: string, settings: Settings): Promise<Secrets> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const kept = (name: string, make: () => string) => keptSecret(join(stateDir, name), make);
  const { DROVER_API_KEYS: keys } = settings;
  const payloadKeys = settings.DROVER_PAYLOAD_KEYS ?? (await kept('payload-keys', newPayloadKey));
  requireReadable(payloadKeys, join(stateDir, 'payload-keys'));
  return {
    apiKeys: keys.length > 0 ? keys.join(',') : await kept('api-key', () => `dk-${randomText()}`),
    nodeToken: settings.DROVER_NODE_TOKEN ?? (await kept('node-token', randomText)),
    payloadKeys,
    codecSecret: settings.DROVER_CODEC_SECRET ?? (await kept('codec-secret', randomText)),
  };
}

/** A half of a key opens nothing, and what it sealed is lost without the whole. */
function requireReadable(payloadKeys: string, path: string): void {
  try {
    parsePayloadKeys(payloadKeys);
  } catch (err) {
    const why = err instanceof Error ? err.message : String(err);
    throw new StackError(
      `${path} cannot be used (${why}); put back your copy of it, without it payloads stay sealed`,
    );
  }
}

function randomText(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

async function keptSecret(path: string, make: () => string): Promise<string> {
  return (await readSecret(path)) ?? (await makeSecret(path, make));
}

async function readSecret(path: string): Promise<string | undefined> {
  const found = await stat(path).catch((err: unknown) => {
    if (errorCode(err) === 'ENOENT') return undefined;
    throw new StackError(`cannot read ${path} (${errorCode(err) ?? String(err)})`);
  });
  if (found === undefined) return undefined;
  if ((found.mode & FOREIGN_BITS) !== 0) {
    const mode = (found.mode & 0o777).toString(8);
    throw new StackError(
      `${path} has mode ${mode}: others on this machine may have read it; remove it for a new one, or keep it with "chmod 600"`,
    );
  }
  const secret = (await readFile(path, 'utf8')).trim();
  if (secret === '') throw new StackError(`${path} is empty; remove it for a new one`);
  if (!ONE_LINE.test(secret))
    throw new StackError(
      `${path} holds something else than one line of text; put back what it held, or remove it for a new one`,
    );
  return secret;
}

/** Linking fails when the name is taken, so of two that start at once both use the same secret. */
async function makeSecret(path: string, make: () => string): Promise<string> {
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(aside, `${make()}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(aside, path);
  } catch (err) {
    if (errorCode(err) !== 'EEXIST') throw err;
  } finally {
    await rm(aside, { force: true });
  }
  const secret = await readSecret(path);
  if (secret === undefined) throw new StackError(`${path} vanished while it was made; start again`);
  return secret;
}
