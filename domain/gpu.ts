/** GPUs as their driver reports them: what preflight, masks and splits decide on. */

/** A GPU (B-PREFLIGHT-015). Null where the driver says `[N/A]`: a GPU on unified memory has none of its own to report. */
export interface GpuDevice {
  /** The driver's number, in the order of the PCI bus. */
  index: string;
  uuid: string | null;
  name: string;
  compute_capability: string | null;
  vram_total_bytes: number | null;
  vram_free_bytes: number | null;
  temperature_celsius: number | null;
  /** Names of its MIG slices; none where it is not cut up (B-DEVICE-016). */
  mig_devices: readonly string[];
}

/** What was asked of the driver: its devices, or what went wrong; undefined when there was nobody to ask. */
export type DeviceQuery = { devices: readonly GpuDevice[] } | { problem: string } | undefined;

/** The devices for people, each by the name that a mask may use. */
export function namesOf(devices: readonly GpuDevice[]): string {
  const names = devices.flatMap(({ index, name, mig_devices }) => [`${index} (${name})`, ...mig_devices]);
  return names.length === 0 ? 'no device' : names.join(', ');
}
