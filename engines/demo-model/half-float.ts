/** IEEE 754 half precision, the format of the model's matrices; Node 20 has no Float16Array. */

const scratch = new DataView(new ArrayBuffer(4));

/** The 16 bits nearest to a number; throws beyond the range (65504), which would load as infinity. */
export function toHalf(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent >= 31) throw new Error(`${value} does not fit into 16 bits`);
  if (exponent <= 0) return sign; // smaller than 6e-5: zero is near enough
  // Rounding may carry into the exponent, which is what it should do.
  return sign | (((exponent << 10) | ((bits >>> 13) & 0x3ff)) + ((bits >>> 12) & 1));
}
