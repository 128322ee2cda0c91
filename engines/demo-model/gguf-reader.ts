/** Reads a GGUF file back, for the tests: written apart from the writer, so that one cannot hide the other's mistake. */

/** What a file holds. */
export interface GgufFile {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Where the tensors' data begins; their offsets count from here. */
  readonly dataStart: number;
}

/** A tensor's place. */
export interface GgufTensor {
  readonly shape: readonly number[];
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

const BYTES_PER_ELEMENT: Readonly<Record<number, number>> = { 0: 4, 1: 2 };

/** Parses the header of a file; throws when it is none. */
export function readGguf(bytes: Buffer): GgufFile {
  const cursor = new Cursor(bytes);
  if (cursor.take(4).toString() !== 'GGUF') throw new Error('no GGUF file');
  const version = cursor.uint32();
  const tensorCount = cursor.uint64();
  const valueCount = cursor.uint64();
  const metadata = new Map<string, unknown>();
  for (let i = 0; i < valueCount; i++) metadata.set(cursor.string(), cursor.value(cursor.uint32()));
  const tensors = new Map<string, GgufTensor>();
  for (let i = 0; i < tensorCount; i++) {
    const name = cursor.string();
    const shape = Array.from({ length: cursor.uint32() }, () => cursor.uint64());
    const elementBytes = BYTES_PER_ELEMENT[cursor.uint32()] ?? NaN;
    const size = shape.reduce((product, length) => product * length, elementBytes);
    tensors.set(name, { shape, offset: cursor.uint64(), size });
  }
  return { version, metadata, tensors, dataStart: Math.ceil(cursor.position / 32) * 32 };
}

class Cursor {
  position = 0;

  constructor(readonly bytes: Buffer) {}

  take(length: number): Buffer {
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  uint64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  string(): string {
    return this.take(this.uint64()).toString('utf8');
  }

  value(type: number): unknown {
    switch (type) {
      case 4:
        return this.uint32();
      case 5:
        return this.take(4).readInt32LE();
      case 6:
        return this.take(4).readFloatLE();
      case 7:
        return this.take(1)[0] === 1;
      case 8:
        return this.string();
      case 9: {
        const itemType = this.uint32();
        return Array.from({ length: this.uint64() }, () => this.value(itemType));
      }
      default:
        throw new Error(`unknown value type ${type}`);
    }
  }
}
