/** Device masks: `0,1` and `GPU0,GPU1` name the same GPUs; other names (MIG slices) pass as they are (B-DEVICE-001..005). */

/** The mask's devices, in its order: indices as decimal text, other names unchanged. */
export function maskedDevices(mask: string): string[] {
  return mask.split(',').map((item) => {
    const name = item.trim();
    return /^(?:GPU)?(\d+)$/i.exec(name)?.[1] ?? name;
  });
}

/** Value of `CUDA_VISIBLE_DEVICES` for a mask (B-DEVICE-005). */
export function cudaVisibleDevices(mask: string): string {
  return maskedDevices(mask).join(',');
}
