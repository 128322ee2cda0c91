/**
 * Device masks: `0,1` and `GPU0,GPU1` name the same GPUs, in this order for the engine and as a set for placement. Full
 * UUIDs and MIG slices pass as they are (B-DEVICE-001..005, B-DEVICE-014..016).
 */
import { namesOf, type GpuDevice } from './gpu.js';

/** What may name a device where nobody can say which there are: a number, or a UUID of a GPU or of a MIG slice. */
const DEVICE_NAME = /^(?:\d+|(?:GPU|MIG)-[\w/-]+)$/;

/** The mask's devices, in its order: indices as decimal text, other names unchanged. */
export function maskedDevices(mask: string): string[] {
  return mask.split(',').map((item) => {
    const name = item.trim();
    const index = /^(?:GPU)?(\d+)$/i.exec(name)?.[1];
    return index === undefined ? name : String(Number(index));
  });
}

/** Value of `CUDA_VISIBLE_DEVICES` for a mask (B-DEVICE-005). */
export function cudaVisibleDevices(mask: string): string {
  return maskedDevices(mask).join(',');
}

/** True when both masks name the same set of devices, in whatever order and spelling; no mask equals no mask alone. */
export function sameDevices(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return a === b;
  const [one, other] = [new Set(maskedDevices(a)), new Set(maskedDevices(b))];
  return one.size === other.size && [...one].every((device) => other.has(device));
}

/**
 * What is wrong with a mask: its first empty, unknown or repeated item, and what the node has instead (B-DEVICE-004).
 * @param devices - undefined where the driver cannot be asked, so that only the spelling can be judged
 * @returns undefined when nothing is
 */
export function maskProblem(mask: string, devices: readonly GpuDevice[] | undefined): string | undefined {
  const items = mask.split(',').map((item) => item.trim());
  const seen = new Set<string>();
  for (const [at, name] of maskedDevices(mask).entries()) {
    const item = items[at] ?? name;
    const device = devices === undefined ? spelledDevice(name) : discovered(name, devices)?.device;
    const problem =
      item === ''
        ? `item ${at + 1} is empty`
        : device === undefined
          ? `"${item}" is unknown`
          : seen.has(device)
            ? `"${item}" names device ${device} again`
            : undefined;
    if (problem !== undefined) return `device_mask "${mask}": ${problem}; the node has ${has(devices)}`;
    if (device !== undefined) seen.add(device);
  }
  return undefined;
}

/** The mask's whole GPUs in its order; MIG slices are not among them, for the driver's list does not size them. */
export function gpusOfMask(mask: string, devices: readonly GpuDevice[]): GpuDevice[] {
  return maskedDevices(mask).flatMap((name) => discovered(name, devices)?.gpu ?? []);
}

/** What a mask may name of these: numbers of GPUs, and slices. */
export function deviceNames(devices: readonly GpuDevice[]): string[] {
  return devices.flatMap(({ index, mig_devices }) => [index, ...mig_devices]);
}

/** Devices of a mask that the driver no longer lists (B-DEVICE-017). */
export function missingDevices(mask: string, devices: readonly GpuDevice[]): string[] {
  return maskedDevices(mask).filter((name) => discovered(name, devices) === undefined);
}

/** A pool's claim on devices. */
export interface DeviceClaim {
  pool_id: string;
  device_mask: string | null;
  /** What preflight chose for a pool without a mask: a guess of its own, which nobody else has to respect. */
  device_chosen?: string | undefined;
  /** The pool may have its devices together with others that say the same. */
  share_devices: boolean;
}

/**
 * Why a pool may not have its devices: another one has them, and not both declare that they share (B-DEVICE-015). A pool
 * without a mask declares nothing, and is compared with nobody.
 * @returns undefined when it may
 */
export function claimProblem(wanted: DeviceClaim, held: readonly DeviceClaim[]): string | undefined {
  const mask = wanted.device_mask;
  if (mask === null) return undefined;
  const devices = new Set(maskedDevices(mask));
  for (const other of held) {
    if (other.pool_id === wanted.pool_id || other.device_mask === null) continue;
    if (wanted.share_devices && other.share_devices) continue;
    const both = maskedDevices(other.device_mask).filter((device) => devices.has(device));
    if (both.length === 0) continue;
    return (
      `device_mask "${mask}" overlaps with "${other.device_mask}" of pool ${other.pool_id} in ${both.join(',')}; ` +
      'pools share devices only when each declares share_devices'
    );
  }
  return undefined;
}

/** The launch with the device that was chosen for it instead of the one that it had. */
export function withChosenDevice<T extends { device_chosen?: string | undefined }>(
  launch: T,
  device_chosen: string | undefined,
): T {
  const { device_chosen: _before, ...asked } = launch;
  return { ...asked, ...(device_chosen === undefined ? {} : { device_chosen }) } as T;
}

/** Numbers of the GPUs that other pools compute on, whether they named them or were given them. */
export function takenDevices(
  poolId: string,
  held: readonly DeviceClaim[],
  devices: readonly GpuDevice[],
): string[] {
  const others = held.filter(({ pool_id }) => pool_id !== poolId);
  const masks = others.flatMap(({ device_mask, device_chosen }) => device_mask ?? device_chosen ?? []);
  return masks.flatMap((mask) => gpusOfMask(mask, devices)).map(({ index }) => index);
}

/** A device by a mask's name for it: an index or a UUID stands for the whole GPU, a MIG name for its slice. */
function discovered(
  name: string,
  devices: readonly GpuDevice[],
): { device: string; gpu?: GpuDevice } | undefined {
  const gpu = devices.find(({ index, uuid }) => name === index || name === uuid);
  if (gpu !== undefined) return { device: gpu.index, gpu };
  return devices.some(({ mig_devices }) => mig_devices.includes(name)) ? { device: name } : undefined;
}

function spelledDevice(name: string): string | undefined {
  return DEVICE_NAME.test(name) ? name : undefined;
}

function has(devices: readonly GpuDevice[] | undefined): string {
  return devices === undefined ? 'no driver that lists its devices' : namesOf(devices);
}
