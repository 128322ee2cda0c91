/**
 * Writes GGUF version 3, llama.cpp's model file: header, metadata, tensor table, then the tensors' data, each aligned.
 * Source: docs/gguf.md of ggml.
 */
import type { FileHandle } from 'node:fs/promises';

/** A metadata value with the type it is stored as. */
export type MetadataValue =
  | { readonly type: 'uint32' | 'int32' | 'float32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'float32s' | 'int32s'; readonly value: readonly number[] };

/** A tensor; `data` is called when its turn to be written comes, so that a big file needs little memory. */
export interface Tensor {
  readonly name: string;
  /** Columns first, as GGUF has it. */
  readonly shape: readonly number[];
  readonly type: 'f32' | 'f16';
  data(): Uint8Array;
}

const ALIGNMENT = 32;
const VERSION = 3;
const VALUE_TYPE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const TENSOR_TYPE = { f32: { id: 0, bytes: 4 }, f16: { id: 1, bytes: 2 } } as const;

/** Writes a model to an open file, from its current position. */
export async function writeGguf(
  file: FileHandle,
  metadata: ReadonlyMap<string, MetadataValue>,
  tensors: readonly Tensor[],
): Promise<void> {
  const header = encodeHeader(metadata, tensors);
  await file.writeFile(header);
  await file.writeFile(padding(header.length));
  for (const tensor of tensors) {
    const data = tensor.data();
    if (data.length !== byteLength(tensor))
      throw new Error(`${tensor.name}: the data does not fit the shape`);
    await file.writeFile(data);
    await file.writeFile(padding(data.length));
  }
}

/** Everything before the tensors' data, without the padding after it. */
export function encodeHeader(
  metadata: ReadonlyMap<string, MetadataValue>,
  tensors: readonly Tensor[],
): Buffer {
  const parts = [Buffer.from('GGUF'), uint32(VERSION), uint64(tensors.length), uint64(metadata.size)];
  for (const [key, value] of metadata) parts.push(string(key), encodeValue(value));
  let offset = 0;
  for (const tensor of tensors) {
    parts.push(string(tensor.name), uint32(tensor.shape.length), ...tensor.shape.map(uint64));
    parts.push(uint32(TENSOR_TYPE[tensor.type].id), uint64(offset));
    offset += byteLength(tensor) + padding(byteLength(tensor)).length;
  }
  return Buffer.concat(parts);
}

function byteLength({ shape, type }: Tensor): number {
  return shape.reduce((product, size) => product * size, TENSOR_TYPE[type].bytes);
}

function padding(length: number): Buffer {
  return Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}

function encodeValue(entry: MetadataValue): Buffer {
  switch (entry.type) {
    case 'uint32':
      return Buffer.concat([uint32(VALUE_TYPE.uint32), uint32(entry.value)]);
    case 'int32':
      return Buffer.concat([uint32(VALUE_TYPE.int32), int32(entry.value)]);
    case 'float32':
      return Buffer.concat([uint32(VALUE_TYPE.float32), float32(entry.value)]);
    case 'bool':
      return Buffer.concat([uint32(VALUE_TYPE.bool), Buffer.from([entry.value ? 1 : 0])]);
    case 'string':
      return Buffer.concat([uint32(VALUE_TYPE.string), string(entry.value)]);
    case 'strings':
      return array(VALUE_TYPE.string, entry.value.map(string));
    case 'float32s':
      return array(VALUE_TYPE.float32, entry.value.map(float32));
    case 'int32s':
      return array(VALUE_TYPE.int32, entry.value.map(int32));
  }
}

function array(type: number, items: readonly Buffer[]): Buffer {
  return Buffer.concat([uint32(VALUE_TYPE.array), uint32(type), uint64(items.length), ...items]);
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
