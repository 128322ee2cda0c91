/** A node's machine: what engines may compute on there, and whether what it has left is enough (nodes-and-workers 2). */

/** What is known of it. */
export interface BackendFacts {
  /** Backends that its settings allow. */
  allowed: readonly string[];
  platform: string;
  arch: string;
  /** GPUs that the driver of CUDA lists. */
  gpus: number;
}

/** A backend, and why it is not there. */
export interface BackendAvailability {
  backend: 'cuda' | 'cpu' | 'metal';
  available: boolean;
  reason: string | null;
}

/** Which backends pools of the node may use. */
export function backendsOf({ allowed, platform, arch, gpus }: BackendFacts): BackendAvailability[] {
  const lacks = {
    cuda: gpus === 0 ? 'the driver lists no GPU' : null,
    cpu: null,
    metal: platform === 'darwin' && arch === 'arm64' ? null : 'this is no Mac with Apple silicon',
  };
  return (['cuda', 'cpu', 'metal'] as const).map((backend) => {
    const reason = allowed.includes(backend) ? lacks[backend] : 'DROVER_NODE_BACKENDS does not name it';
    return { backend, available: reason === null, reason };
  });
}

/** Memory, and the disk of the state folder, in bytes. */
export interface ResourceFacts {
  ramTotal: number;
  ramAvailable: number;
  diskTotal: number;
  diskAvailable: number;
}

/** The same in gigabytes, and what there is too little of. */
export interface Resources {
  ram_total_gb: number;
  ram_available_gb: number;
  disk_total_gb: number;
  disk_available_gb: number;
  warnings: string[];
}

const GB = 1024 ** 3;
/** A model of some size, and the system beside it (B-NODE-034). */
const LEAST_RAM_GB = 8;
/** A few models. */
const LEAST_DISK_GB = 50;

/** What a machine has left, and whether that is little. */
export function resourcesOf({ ramTotal, ramAvailable, diskTotal, diskAvailable }: ResourceFacts): Resources {
  const warnings = [
    ...(ramAvailable < LEAST_RAM_GB * GB
      ? [`${inGb(ramAvailable)} GB of memory are free: below ${LEAST_RAM_GB} GB larger models do not fit`]
      : []),
    ...(diskAvailable < LEAST_DISK_GB * GB
      ? [`${inGb(diskAvailable)} GB of the disk are free: below ${LEAST_DISK_GB} GB few models fit`]
      : []),
  ];
  return {
    ...{ ram_total_gb: inGb(ramTotal), ram_available_gb: inGb(ramAvailable) },
    ...{ disk_total_gb: inGb(diskTotal), disk_available_gb: inGb(diskAvailable), warnings },
  };
}

function inGb(bytes: number): number {
  return Math.round((bytes / GB) * 100) / 100;
}
