/**
 * The audit log: who did what, as JSON lines that are chained by their hashes (observability 7). Entries are written one
 * after another behind whatever waits; a disk that takes none loses entries, is told of, and never stops the service.
 */
import { mkdir, open, rename, statfs, type FileHandle } from 'node:fs/promises';
import { chainEntry, FIRST_PREVIOUS_HASH, readEntry, type AuditEvent } from './audit-chain.js';
import {
  claimChain,
  currentFile,
  lastLine,
  nextArchive,
  removeOldArchives,
  type Claim,
} from './audit-files.js';

/** Where events are told. */
export interface Audit {
  /** Resolves when the entry is in the file, or was given up; never rejects. */
  record: (event: AuditEvent) => Promise<void>;
}

/** An open log. */
export interface AuditLog extends Audit {
  /** Writes what waits. */
  close: () => Promise<void>;
}

/** How a log is kept. */
export interface AuditLogOptions {
  folder: string;
  /** Kind of process: the chain's name, with a number where several run. */
  kind: string;
  log: {
    warn: (fields: object, text: string) => void;
    error: (fields: object, text: string) => void;
  };
  now: () => number;
  /** Size at which a file is archived, default 10 MB (B-AUDIT-006). */
  limitBytes?: number;
  /** Bytes of all archives of the chain; beyond them the oldest go. */
  keptBytes?: number;
  /** Share of the disk in use, 0 to 1; default: asks the system. */
  diskUse?: (folder: string) => Promise<number>;
}

/** Keeps nothing. */
export const noAudit: AuditLog = { record: () => Promise.resolve(), close: () => Promise.resolve() };

const LIMIT_BYTES = 10 * 1_048_576;
/** Beyond it a burst loses entries, which the next one counts. */
const MOST_WAITING = 10_000;
const DISK_LOOK_EVERY_MS = 10_000;
/** Shares of the disk in use (B-AUDIT-007). */
const NEARLY_FULL = 0.95;
const FULL = 0.99;

interface Waiting {
  event: AuditEvent;
  atMs: number;
  written: () => void;
}

/** Opens the log and goes on with its chain (B-AUDIT-010). @throws Error when the folder cannot be written */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { folder, kind } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const claim = await claimChain(folder, kind);
  const last = await lastLine(folder, claim.name);
  const previousHash = last === undefined ? FIRST_PREVIOUS_HASH : (readEntry(last)?.entry_hash ?? '');
  const writer = new AuditWriter(options, claim, previousHash);
  await writer.open();
  return { record: (event) => writer.record(event), close: () => writer.close() };
}

class AuditWriter {
  private file: FileHandle | undefined;
  private size = 0;
  private waiting: Waiting[] = [];
  /** Cleared in the same step in which nothing waits any more: what comes later is written anew. */
  private busy = false;
  private writing: Promise<void> | undefined;
  private lost = 0;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private use = 0;

  constructor(
    private readonly options: AuditLogOptions,
    private readonly claim: Claim,
    private previousHash: string,
  ) {}

  async open(): Promise<void> {
    const { folder } = this.options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    this.file = await open(currentFile(folder, this.claim.name), 'a', 0o600);
    this.size = (await this.file.stat()).size;
  }

  record(event: AuditEvent): Promise<void> {
    if (this.waiting.length >= MOST_WAITING) {
      this.lost += 1;
      return Promise.resolve();
    }
    return new Promise((written) => {
      this.waiting.push({ event, atMs: this.options.now(), written });
      if (this.busy) return;
      this.busy = true;
      this.writing = this.writeAll();
    });
  }

  async close(): Promise<void> {
    while (this.busy) await this.writing;
    await this.file?.close();
    this.claim.release();
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      try {
        await this.lookAtDisk();
        await this.write(batch);
      } catch (err) {
        this.lost += batch.length;
        this.options.log.error({ err, event: 'audit_unwritten', lost: this.lost }, 'audit entries are lost');
      }
      for (const { written } of batch) written();
    }
    this.busy = false;
  }

  /** All or nothing: a batch that broke off is cut away, and the chain stands where it stood. */
  private async write(batch: readonly Waiting[]): Promise<void> {
    const { lost } = this;
    let previous = this.previousHash;
    const lines = [...lossBefore(batch, lost), ...batch].map(({ event, atMs }) => {
      const entry = chainEntry(event, atMs, previous);
      previous = entry.entry_hash;
      return `${JSON.stringify(entry)}\n`;
    });
    const bytes = Buffer.from(lines.join(''));
    const { limitBytes = LIMIT_BYTES } = this.options;
    if (this.size > 0 && this.size + bytes.length > limitBytes) await this.rotate();
    if (this.file === undefined) await this.open();
    try {
      await this.file?.appendFile(bytes);
    } catch (err) {
      await this.file?.truncate(this.size).catch(() => undefined); // The next start cuts it off.
      throw err;
    }
    this.size += bytes.length;
    this.previousHash = previous;
    this.lost -= lost;
  }

  private async rotate(): Promise<void> {
    const { folder } = this.options;
    await this.file?.datasync();
    await this.file?.close();
    this.file = undefined;
    try {
      await rename(currentFile(folder, this.claim.name), await nextArchive(folder, this.claim.name));
    } catch (err) {
      if ((err as { code?: string }).code !== 'ENOENT') throw err; // Somebody took it away.
    }
    await this.open();
    await this.forgetOld();
  }

  private async forgetOld(): Promise<void> {
    const { folder, keptBytes = Infinity, log } = this.options;
    const removed = await removeOldArchives(folder, this.claim.name, keptBytes);
    if (removed.length === 0) return;
    const fields = { event: 'audit_archives_removed', files: removed };
    log.warn(fields, 'the oldest archives of the audit log were removed: there is no room for more');
  }

  private async lookAtDisk(): Promise<void> {
    const { now, folder, diskUse = shareInUse, log } = this.options;
    if (now() - this.lookedAtMs < DISK_LOOK_EVERY_MS) return;
    this.lookedAtMs = now();
    const before = this.use;
    const use = await diskUse(folder).catch(() => before);
    this.use = use;
    const fields = { folder, used_percent: Math.floor(use * 100) };
    if (use >= FULL && before < FULL) {
      log.error(
        { event: 'audit_disk_full', ...fields },
        'the disk of the audit log is full: move archives away',
      );
      if (this.size > 0) await this.rotate();
    } else if (use >= NEARLY_FULL && before < NEARLY_FULL) {
      log.warn({ event: 'audit_disk_nearly_full', ...fields }, 'the disk of the audit log is nearly full');
    }
  }
}

function lossBefore([first]: readonly Waiting[], lost: number): Pick<Waiting, 'event' | 'atMs'>[] {
  if (lost === 0 || first === undefined) return [];
  return [{ event: { event_type: 'entries_lost', actor: 'drover', details: { lost } }, atMs: first.atMs }];
}

async function shareInUse(folder: string): Promise<number> {
  const { blocks, bavail } = await statfs(folder);
  return blocks === 0 ? 0 : 1 - bavail / blocks;
}
