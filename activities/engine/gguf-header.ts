/**
 * The beginning of a GGUF file: proof that it is one, and how much cache a token needs
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 */
import { open } from 'node:fs/promises';

/** What the header tells. */
export interface GgufHeader {
  /** Keys and values of one token over all layers, in 16-bit numbers; undefined when the model does not say. */
  cacheBytesPerToken?: number;
  /** What most of its numbers are, as files are named after: `Q4_K_M`; undefined when the model does not say. */
  quantization?: string;
}

const MAGIC = 'GGUF';
/** The sizes stand before the tokenizer's lists, which fill megabytes. */
const READ_BYTES = 256 * 1024;
const CACHE_NUMBER_BYTES = 2;
/** `general.file_type`, of those that are about. */
const QUANTIZATIONS: Readonly<Record<number, string>> = {
  ...{ 0: 'F32', 1: 'F16', 2: 'Q4_0', 3: 'Q4_1', 7: 'Q8_0', 8: 'Q5_0', 9: 'Q5_1', 10: 'Q2_K', 11: 'Q3_K_S' },
  ...{ 12: 'Q3_K_M', 13: 'Q3_K_L', 14: 'Q4_K_S', 15: 'Q4_K_M', 16: 'Q5_K_S', 17: 'Q5_K_M', 18: 'Q6_K' },
  ...{ 19: 'IQ2_XXS', 20: 'IQ2_XS', 21: 'Q2_K_S', 22: 'IQ3_XS', 23: 'IQ3_XXS', 24: 'IQ1_S', 25: 'IQ4_NL' },
  ...{ 26: 'IQ3_S', 27: 'IQ3_M', 28: 'IQ2_S', 29: 'IQ2_M', 30: 'IQ4_XS', 31: 'IQ1_M', 32: 'BF16' },
};
/** Bytes of each scalar value type; 8 is a string, 9 an array. */
const SCALAR_BYTES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

/**
 * Reads the header; undefined when the file does not begin as a GGUF file does.
 * @throws what the file system says when it cannot be read
 */
export async function readGgufHeader(path: string): Promise<GgufHeader | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, 0);
    const bytes = buffer.subarray(0, bytesRead);
    if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) return undefined;
    const integers = integersOf(bytes);
    const quantization = QUANTIZATIONS[integers.get('general.file_type') ?? -1];
    return { ...sizesOf(integers), ...(quantization === undefined ? {} : { quantization }) };
  } finally {
    await file.close();
  }
}

function sizesOf(values: ReadonlyMap<string, number>): GgufHeader {
  const find = (suffix: string): number | undefined => [...values].find(([key]) => key.endsWith(suffix))?.[1];
  const [layers, width, heads] = [
    find('.block_count'),
    find('.embedding_length'),
    find('.attention.head_count'),
  ];
  if (layers === undefined || width === undefined || heads === undefined || heads === 0) return {};
  const cacheHeads = find('.attention.head_count_kv') ?? heads;
  const keyLength = find('.attention.key_length') ?? width / heads;
  const valueLength = find('.attention.value_length') ?? width / heads;
  return { cacheBytesPerToken: layers * cacheHeads * (keyLength + valueLength) * CACHE_NUMBER_BYTES };
}

/** The 32-bit integers among the metadata, as far as the bytes go. */
function integersOf(bytes: Buffer): Map<string, number> {
  const found = new Map<string, number>();
  const cursor = { bytes, at: 16 }; // After magic, version and the number of tensors.
  try {
    for (let left = readLong(cursor); left > 0; left -= 1) {
      const key = readText(cursor);
      const type = readInt(cursor);
      if (type === 4 || type === 5) found.set(key, readInt(cursor));
      else skipValue(cursor, type);
    }
  } catch (err) {
    if (!(err instanceof RangeError)) throw err; // The bytes end before the metadata does.
  }
  return found;
}

interface Cursor {
  bytes: Buffer;
  at: number;
}

function readInt(cursor: Cursor): number {
  const value = cursor.bytes.readUInt32LE(cursor.at);
  cursor.at += 4;
  return value;
}

function readLong(cursor: Cursor): number {
  const value = Number(cursor.bytes.readBigUInt64LE(cursor.at));
  cursor.at += 8;
  return value;
}

function readText(cursor: Cursor): string {
  const length = readLong(cursor);
  const start = cursor.at;
  cursor.at += length;
  return cursor.bytes.subarray(start, cursor.at).toString('utf8');
}

function skipValue(cursor: Cursor, type: number): void {
  if (type === 8) readText(cursor);
  else if (type === 9) skipArray(cursor);
  else cursor.at += scalarBytes(type);
}

function skipArray(cursor: Cursor): void {
  const type = readInt(cursor);
  const count = readLong(cursor);
  if (type === 8 || type === 9) {
    for (let left = count; left > 0; left -= 1) skipValue(cursor, type);
  } else cursor.at += count * scalarBytes(type);
}

function scalarBytes(type: number): number {
  const bytes = SCALAR_BYTES[type];
  if (bytes === undefined) throw new RangeError(`GGUF value type ${type} is unknown`);
  return bytes;
}
