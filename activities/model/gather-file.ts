/**
 * One file, gathered beside its place: what is there of it is kept with the tag of the answer that it came from, so that the
 * next attempt, of this worker or of the one after it, goes on where this one ended.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { FetchedFile, ModelFile } from '../../contracts/download.js';
import { pauseForLimit, roomProblem } from '../../domain/download.js';
import { writeAtomically } from '../write-atomically.js';
import { downloadFailure } from './download-failure.js';
import { writeBehind, type WriteBehind } from './write-behind.js';
import { FileChangedError, type AskOrigin, type OriginAnswer } from './model-origin.js';

/** What gathering uses. */
export interface GatherOptions {
  origin: AskOrigin;
  file: ModelFile;
  /** Where the whole file comes to be; `.part` and `.part.json` stand beside it meanwhile. */
  path: string;
  /** Bytes per second; null: as fast as they come. */
  limit: number | null;
  /** Called for each piece, whose wait for the next begins. */
  onBytes: (bytes: number, totalBytes: number | null) => void;
  /** Called while what is there is read: nothing comes meanwhile, and nothing is amiss. */
  onReading: () => void;
  /** Waits, and is woken by `signal`. */
  pause: (ms: number) => Promise<void>;
  signal: AbortSignal;
  now: () => number;
}

/** What is known of the bytes in a `.part`. */
const partNote = z.object({
  tag: z.string().nullable(),
  total_bytes: z.int().nullable(),
  /** What the server said of the whole. */
  sha256: z.string().nullable(),
});
type PartNote = z.infer<typeof partNote>;

/** What file systems say when they take no more. */
const NO_ROOM = ['ENOSPC', 'EDQUOT'];
const UNKNOWN: PartNote = { tag: null, total_bytes: null, sha256: null };

/** A part and the digest of what is in it. */
interface Part {
  bytes: number;
  hash: Hash;
  note: PartNote;
}

/**
 * Fetches what is missing, and checks length and digest of the whole.
 * @throws ApplicationFailure `MODEL_CORRUPTED` (what was there is gone), `INSUFFICIENT_DISK_SPACE`, `DISK_FULL` (likewise),
 *   or what the origin throws
 */
export async function gatherFile(options: GatherOptions): Promise<FetchedFile> {
  const { path, file } = options;
  await mkdir(dirname(path), { recursive: true });
  const done = await stat(path).catch(() => undefined);
  if (done !== undefined)
    return { path: file.path, size_bytes: done.size, sha256: await digestOf(path, options) };
  const part = await partAt(path, options);
  options.onBytes(part.bytes, part.note.total_bytes ?? file.size_bytes);
  // The worker before this one may have ended between the last byte and the name.
  if (part.bytes === 0 || part.bytes !== part.note.total_bytes) await fill(part, options);
  const expected = file.sha256 ?? part.note.sha256;
  const sha256 = part.hash.digest('hex');
  if (expected !== null && expected !== sha256) {
    await dropPart(path);
    throw downloadFailure(
      'MODEL_CORRUPTED',
      `${file.path} has the SHA-256 ${sha256}, and should have ${expected}`,
    );
  }
  await rename(`${path}.part`, path);
  await rm(`${path}.part.json`, { force: true });
  return { path: file.path, size_bytes: part.bytes, sha256 };
}

/** Fills the part. */
async function fill(part: Part, options: GatherOptions): Promise<void> {
  const { file, path } = options;
  const answer = await askOrigin(part, options);
  const totalBytes = answer.totalBytes ?? file.size_bytes;
  await requireRoom(path, (totalBytes ?? 0) - part.bytes);
  part.note = { tag: answer.tag, total_bytes: totalBytes, sha256: answer.sha256 };
  const handle = await open(`${path}.part`, part.bytes === 0 ? 'w' : 'r+', 0o644);
  const writer = writeBehind(handle, part.bytes);
  try {
    await writeAtomically(`${path}.part.json`, JSON.stringify(part.note));
    await copy(answer, part, writer, options);
    await writer.finish();
  } catch (err) {
    if (!NO_ROOM.includes((err as { code?: string }).code ?? '')) throw err;
    await dropPart(path);
    throw downloadFailure(
      'DISK_FULL',
      `the disk of the model cache is full after ${part.bytes} bytes`,
      {},
      err,
    );
  } finally {
    await writer.rest();
    await handle.close();
  }
  await requireWhole(part, file, path);
}

/** The rest of the file; all of it where the server gives no rest, or has another file by now. */
async function askOrigin(part: Part, { origin, signal }: GatherOptions): Promise<OriginAnswer> {
  if (part.bytes > 0) {
    const rest = await origin({ offset: part.bytes, tag: part.note.tag, signal }).catch((err: unknown) => {
      if (!(err instanceof FileChangedError)) throw err;
      return undefined;
    });
    if (rest?.offset === part.bytes && isSameFile(rest, part.note)) return rest;
    startAnew(part);
    if (rest?.offset === 0) return rest;
    rest?.close();
  }
  return origin({ offset: 0, tag: null, signal });
}

/** Not every server knows `If-Range`. */
function isSameFile({ tag, totalBytes }: OriginAnswer, note: PartNote): boolean {
  const differ = (a: unknown, b: unknown) => a !== null && b !== null && a !== b;
  return !differ(tag, note.tag) && !differ(totalBytes, note.total_bytes);
}

async function copy(
  answer: OriginAnswer,
  part: Part,
  writer: WriteBehind,
  options: GatherOptions,
): Promise<void> {
  const { limit, onBytes, pause, now } = options;
  const [startedAtMs, startedAt] = [now(), part.bytes];
  for await (const chunk of answer.body) {
    await writer.take(chunk);
    part.hash.update(chunk);
    part.bytes += chunk.length;
    const pauseMs = pauseForLimit(part.bytes - startedAt, now() - startedAtMs, limit);
    if (pauseMs > 0) await pause(pauseMs);
    onBytes(part.bytes, part.note.total_bytes);
  }
}

/** A body that ends early is fetched on; one that is longer than it was said to be is not the file. */
async function requireWhole(part: Part, file: ModelFile, path: string): Promise<void> {
  const expected = file.size_bytes ?? part.note.total_bytes;
  if (expected === null || part.bytes === expected) return;
  const message = `${file.path} has ${part.bytes} bytes, and should have ${expected}`;
  if (part.bytes < expected) throw downloadFailure('DOWNLOAD_FAILED', message, { bytes: part.bytes });
  await dropPart(path);
  throw downloadFailure('MODEL_CORRUPTED', message);
}

async function requireRoom(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  const problem = roomProblem(bytes, bavail * bsize);
  if (problem !== undefined) throw downloadFailure('INSUFFICIENT_DISK_SPACE', problem);
}

/** What is there of the file. Without its note nobody knows of which file it is. */
async function partAt(path: string, options: GatherOptions): Promise<Part> {
  const nothing: Part = { bytes: 0, hash: createHash('sha256'), note: UNKNOWN };
  const note = partNote.safeParse(await readJson(`${path}.part.json`));
  const found = await stat(`${path}.part`).catch(() => undefined);
  if (!note.success || found === undefined || found.size === 0) return nothing;
  const hash = createHash('sha256');
  await hashInto(hash, `${path}.part`, options);
  return { bytes: found.size, hash, note: note.data };
}

function startAnew(part: Part): void {
  part.bytes = 0;
  part.hash = createHash('sha256');
  part.note = UNKNOWN;
}

async function dropPart(path: string): Promise<void> {
  await rm(`${path}.part`, { force: true });
  await rm(`${path}.part.json`, { force: true });
}

async function digestOf(path: string, options: GatherOptions): Promise<string> {
  const hash = createHash('sha256');
  await hashInto(hash, path, options);
  return hash.digest('hex');
}

async function hashInto(hash: Hash, path: string, { signal, onReading }: GatherOptions): Promise<void> {
  const chunks: AsyncIterable<Buffer> = createReadStream(path, { signal });
  for await (const chunk of chunks) {
    hash.update(chunk);
    onReading();
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
