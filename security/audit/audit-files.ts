/**
 * The files of a chain in a folder: `<name>.jsonl` is written now, `<name>.000001.jsonl` and so on are archived, the oldest
 * first. One process writes a chain; who it is, a socket tells that ends with the process.
 */
import { createHash } from 'node:crypto';
import { open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { PlacedLine } from './audit-chain.js';

const ARCHIVED = /^(.+)\.(\d{6})\.jsonl$/;
const CURRENT = /^([^.]+)\.jsonl$/;
/** An entry is some hundred bytes, and ids in it are bounded. */
const TAIL_BYTES = 65_536;
/** Processes of one kind that write in one folder. */
const MOST_WRITERS = 64;

/** Path of the file that is written now. */
export function currentFile(folder: string, name: string): string {
  return join(folder, `${name}.jsonl`);
}

/** Path that the file is archived under next. */
export async function nextArchive(folder: string, name: string): Promise<string> {
  const last = (await archivesOf(folder, name)).at(-1);
  const number = last === undefined ? 0 : Number(ARCHIVED.exec(last)?.[2]);
  return join(folder, `${name}.${String(number + 1).padStart(6, '0')}.jsonl`);
}

async function archivesOf(folder: string, name: string): Promise<string[]> {
  return (await readdir(folder)).filter((file) => ARCHIVED.exec(file)?.[1] === name).sort();
}

/** Removes the oldest archives beyond so many bytes of all; the newest stays. Returns their names. */
export async function removeOldArchives(folder: string, name: string, keptBytes: number): Promise<string[]> {
  const removed: string[] = [];
  let bytes = 0;
  const [newest, ...older] = (await archivesOf(folder, name)).reverse();
  for (const file of newest === undefined ? [] : [newest, ...older]) {
    bytes += (await stat(join(folder, file))).size;
    if (file === newest || bytes <= keptBytes) continue;
    await rm(join(folder, file), { force: true });
    removed.push(file);
  }
  return removed;
}

/** Names of the chains in a folder. */
export async function chainsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).flatMap(
    (file) => CURRENT.exec(file)?.[1] ?? ARCHIVED.exec(file)?.[1] ?? [],
  );
  return [...new Set(names)].sort();
}

/** Lines of a chain, the oldest first. */
export async function* linesOf(folder: string, name: string): AsyncGenerator<PlacedLine> {
  const files = [...(await archivesOf(folder, name)), `${name}.jsonl`];
  for (const file of files) {
    const handle = await open(join(folder, file)).catch((err: unknown) => {
      if ((err as { code?: string }).code === 'ENOENT') return undefined; // Just archived.
      throw err;
    });
    if (handle === undefined) continue;
    let number = 0;
    for await (const line of createInterface({ input: handle.createReadStream() })) {
      number += 1;
      yield { place: `${file}:${number}`, line };
    }
  }
}

/** Last whole line of the chain; a line that was cut off by the writer's death is taken away. */
export async function lastLine(folder: string, name: string): Promise<string | undefined> {
  const current = currentFile(folder, name);
  const line = await lastWholeLine(current);
  if (line !== undefined) return line;
  const archive = (await archivesOf(folder, name)).at(-1);
  return archive === undefined ? undefined : lastWholeLine(join(folder, archive));
}

async function lastWholeLine(file: string): Promise<string | undefined> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const end = buffer.subarray(0, bytesRead).lastIndexOf('\n') + 1;
    if (from + end < size) await truncate(file, from + end);
    return buffer.toString('utf8', 0, end).trimEnd().split('\n').at(-1) || undefined;
  } finally {
    await handle.close();
  }
}

/** A chain that is this process' own until `release`. */
export interface Claim {
  name: string;
  release: () => void;
}

/** Takes the first of `kind`, `kind-2` and so on that no living process writes. */
export async function claimChain(folder: string, kind: string): Promise<Claim> {
  for (let writer = 1; writer <= MOST_WRITERS; writer += 1) {
    const name = writer === 1 ? kind : `${kind}-${writer}`;
    const release = await tryClaim(currentFile(resolve(folder), name));
    if (release !== undefined) return { name, release };
  }
  throw new Error(`${MOST_WRITERS} processes write audit logs in ${folder}`);
}

/** The kernel gives a name without a file to one socket at a time, and takes it back however the process ends. */
function tryClaim(file: string): Promise<(() => void) | undefined> {
  const digest = createHash('sha256').update(file).digest('hex');
  return new Promise((settle, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (err: NodeJS.ErrnoException) => {
      if (err.code === 'EADDRINUSE') settle(undefined);
      // Systems without such names have one writer a folder.
      else if (process.platform !== 'linux') settle(() => undefined);
      else reject(err);
    });
    server.listen(`\0drover-audit-${digest}`, () => {
      server.unref();
      settle(() => void server.close());
    });
  });
}
