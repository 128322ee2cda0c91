/**
 * The run log: one append-only file a task, the copy of a run that outlives the node worker (design §2.3, C-195).
 *
 * ```
 * record = length u32 | crc32 u32 | kind u8 | offset u32 | epoch u32 | key id length u8 | key id | sealed JSON
 * ```
 *
 * Length and CRC let a torn tail be cut; the JSON is sealed with the payload key; a frame's offset is its number in
 * the stream, other records carry {@link NO_OFFSET}. A record is written before what it says is sent to anybody.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  truncateSync,
  writevSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import type { FrameBody, Frame } from '../../contracts/events.js';
import type { RunOffer } from '../../contracts/node.js';
import type { Admission } from '../../contracts/task.js';
import type { ErrorEnvelope } from '../../contracts/errors.js';
import type { CancelReason, StopReason, TaskState } from '../../domain/task.js';
import type { KeyRing } from '../../security/payload-keys.js';

const HEADER_BYTES = 8;
const FIXED_BYTES = 10;
const NO_OFFSET = 0xffff_ffff;
/** A record holds at most one request (1 MB by default); anything larger is a damaged length. */
const LARGEST_RECORD_BYTES = 64 * 1_048_576;

/** What a run log keeps, in the order of a run's life. */
export type LogRecord =
  | {
      kind: 'admission';
      sequence: number;
      offer: RunOffer;
      admission: Admission;
      /** Offset of the first frame; 0 where it is not said. */
      first_offset?: number;
      at_ms: number;
    }
  | { kind: 'confirmed'; epoch: number; at_ms: number }
  | {
      kind: 'dispatched';
      replica_id: string;
      model: string | null;
      tokens_in: number;
      /** The engine takes text, and tells no ids. */
      by_text?: boolean;
      at_ms: number;
    }
  /** Logs of before 2026-11-22 have the ids beside the frame. */
  | { kind: 'frame'; frame: Frame; ids?: readonly number[]; at_ms: number }
  | { kind: 'cancel'; reason: CancelReason; at_ms: number }
  | {
      kind: 'closed';
      state: TaskState;
      stop_reason: StopReason | null;
      error: ErrorEnvelope | null;
      at_ms: number;
    }
  /** From this epoch on the task is another node's. */
  | { kind: 'fenced'; epoch: number; at_ms: number };

const KINDS = ['admission', 'confirmed', 'dispatched', 'frame', 'cancel', 'closed', 'fenced'] as const;

/** A frame as the log writes it: its body, and the ids of the engine tokens that it stands for. */
export interface LoggedFrame {
  body: FrameBody;
  ids: readonly number[];
}

/** An open run log. One writer owns it. */
export interface RunLog {
  readonly path: string;
  /** Appends with one write, all or nothing; throws what the file system says, `ENOSPC` for a full one. */
  append(records: readonly LogRecord[]): void;
  /** Everything appended so far survives a power cut once this resolves. */
  checkpoint(): Promise<void>;
  close(): void;
  /** Every frame that stands in the file, also after {@link close}. */
  frames(): Frame[];
}

/** Opens a run log for appending, mode 600; `fresh` refuses a file that is there. */
export function openRunLog(path: string, ring: KeyRing, fresh: boolean): RunLog {
  const { O_APPEND, O_CREAT, O_EXCL, O_WRONLY } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | (fresh ? O_EXCL : 0), 0o600);
  const sync = promisify(fdatasync);
  let end = fstatSync(fd).size;
  let open = true;
  return {
    path,
    append: (records) => {
      if (!open) throw new Error('the run log is closed');
      const buffers = records.map((record) => encodeRecord(record, ring));
      const size = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
      try {
        const written = writevSync(fd, buffers);
        if (written !== size) throw outOfRoom(`the run log took ${written} of ${size} bytes`);
        end += size;
      } catch (err) {
        // What stands there in part would hide every record after it.
        cutTo(fd, end);
        throw err;
      }
    },
    checkpoint: async () => {
      if (open) await sync(fd);
    },
    close: () => {
      if (open) closeSync(fd);
      open = false;
    },
    frames: () => readRunLog(path, ring).flatMap((record) => (record.kind === 'frame' ? [record.frame] : [])),
  };
}

/** A write that came short says nothing of why; the next one would say that there is no room. */
function outOfRoom(message: string): Error {
  return Object.assign(new Error(message), { code: 'ENOSPC' });
}

function cutTo(fd: number, end: number): void {
  try {
    ftruncateSync(fd, end);
  } catch {
    // The error of the write is the one to tell; a torn tail is cut when the log is read.
  }
}

/**
 * Reads every whole record of a run log, in order. A torn tail, as a crash leaves it, is cut off the file.
 * @throws Error when a whole record cannot be opened: its key is gone; or when there is none at all, but something else
 */
export function readRunLog(path: string, ring: KeyRing): LogRecord[] {
  const bytes = readFileSync(path);
  const records: LogRecord[] = [];
  let at = 0;
  for (;;) {
    const next = wholeRecordAt(bytes, at);
    if (next === undefined) break;
    records.push(decodeRecord(next, ring));
    at += HEADER_BYTES + next.length;
  }
  if (at === 0 && bytes.length > 0) throw new Error(`the ${bytes.length} bytes hold no whole record`);
  if (at < bytes.length) truncateSync(path, at);
  return records;
}

function wholeRecordAt(bytes: Buffer, at: number): Buffer | undefined {
  if (at + HEADER_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32LE(at);
  if (length > LARGEST_RECORD_BYTES || at + HEADER_BYTES + length > bytes.length) return undefined;
  const payload = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
  return crc32(payload) === bytes.readUInt32LE(at + 4) ? payload : undefined;
}

function encodeRecord(record: LogRecord, ring: KeyRing): Buffer {
  const { keyId, bytes } = ring.seal(Buffer.from(JSON.stringify(record)));
  const length = FIXED_BYTES + keyId.length + bytes.length;
  const out = Buffer.allocUnsafe(HEADER_BYTES + length);
  out.writeUInt32LE(length, 0);
  out.writeUInt8(KINDS.indexOf(record.kind), 8);
  out.writeUInt32LE(record.kind === 'frame' ? record.frame.offset : NO_OFFSET, 9);
  out.writeUInt32LE(record.kind === 'frame' ? record.frame.epoch : 0, 13);
  out.writeUInt8(keyId.length, 17);
  out.write(keyId, 18, 'latin1');
  bytes.copy(out, 18 + keyId.length);
  out.writeUInt32LE(crc32(out.subarray(HEADER_BYTES)), 4);
  return out;
}

function decodeRecord(payload: Buffer, ring: KeyRing): LogRecord {
  const keyIdLength = payload.readUInt8(9);
  const keyId = payload.toString('latin1', FIXED_BYTES, FIXED_BYTES + keyIdLength);
  const plain = ring.open({ keyId, bytes: payload.subarray(FIXED_BYTES + keyIdLength) });
  return JSON.parse(plain.toString('utf8')) as LogRecord;
}
