/** A vector as text, the way OpenAI's clients read it: base64 of little-endian 32-bit floats. Nothing is lost either way. */

const BYTES = Float32Array.BYTES_PER_ELEMENT;

/** The text of a vector. */
export function encodeVector(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * BYTES);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * BYTES);
  return bytes.toString('base64');
}

/** The numbers of a vector. */
export function decodeVector(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / BYTES }, (_, index) => bytes.readFloatLE(index * BYTES));
}
