/** The model of the pool `default`: the GGUF file that `DROVER_MODEL` names, or the demonstration model, made here. */
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { runTool } from '../activities/process/run.js';
import { DEMO_MODEL } from '../domain/model-ref.js';
import { errorCode } from './error-code.js';
import { PROGRAMS, type Places } from './places.js';
import { StackError } from './stack-error.js';

/** First bytes of a GGUF file. */
const MAGIC = 'GGUF';
/** Making the demonstration model takes two seconds. */
const MAKE_LIMIT_MS = 120_000;

/** A model to serve. */
export interface Model {
  /** Absolute. */
  path: string;
  /** How a request refers to it. */
  ref: string;
  /** Catalogue name, where it has one. */
  name: string | null;
  /** Name that the engine shows. */
  alias: string;
}

/**
 * Checks the named model, or names the demonstration model; nothing is made yet.
 * @throws StackError when the named file is missing, unreadable or no GGUF
 */
export async function chooseModel(named: string | undefined, places: Places): Promise<Model> {
  if (named === undefined) {
    return { path: join(places.modelDir, 'demo.gguf'), ref: DEMO_MODEL, name: DEMO_MODEL, alias: DEMO_MODEL };
  }
  const path = resolve(named);
  const magic = await firstBytes(path);
  if (magic !== MAGIC)
    throw new StackError(
      `DROVER_MODEL: ${path} is no GGUF file; name one, or unset it for the demonstration model`,
    );
  return { path, ref: `file:${path}`, name: null, alias: basename(path, '.gguf') };
}

async function firstBytes(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (err) {
    throw new StackError(`DROVER_MODEL: ${path} ${fileTrouble(err)}`);
  }
}

function fileTrouble(err: unknown): string {
  const code = errorCode(err);
  if (code === 'ENOENT') return 'does not exist; name a GGUF file, or unset it for the demonstration model';
  if (code === 'EACCES') return 'may not be read by this user';
  if (code === 'EISDIR') return 'is a folder; name the GGUF file in it';
  return `cannot be read (${code ?? String(err)})`;
}

/** Makes the demonstration model unless it is there: 4 MB, the same bytes every time. */
export async function makeDemoModel(model: Model, signal: AbortSignal): Promise<void> {
  // One that is empty or something else, as a full disk may leave it, is made anew.
  if (existsSync(model.path) && (await firstBytes(model.path)) === MAGIC) return;
  await mkdir(join(model.path, '..'), { recursive: true, mode: 0o700 });
  const aside = `${model.path}.${process.pid}.tmp`;
  try {
    const args = [PROGRAMS.demoModel, '--out', aside];
    const made = await runTool(process.execPath, args, { timeoutMs: MAKE_LIMIT_MS, signal });
    signal.throwIfAborted();
    if (!made.ok)
      throw new StackError(
        `the demonstration model could not be made: ${made.outcome} ${made.stderr.trim()}`,
      );
    await rename(aside, model.path);
  } finally {
    await rm(aside, { force: true });
  }
}
