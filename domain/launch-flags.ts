/** Flags of llama.cpp by the one name that its own help gives them, whatever a configuration calls them. */

/** Older names, and those of other front ends (B-PROV-007). */
const LEGACY: Record<string, string> = {
  '-ngl': '--n-gpu-layers',
  '--ngl': '--n-gpu-layers',
  '--gpu-layers': '--n-gpu-layers',
};

/** The launch with its flags' legacy names translated; their values and their order stay, other engines' flags too. */
export function withKnownFlags<T extends { engine: string; flags: string[] }>(launch: T): T {
  if (launch.engine !== 'llamacpp') return launch;
  const flags = launch.flags.map((flag) => {
    const [name = '', ...value] = flag.split('=');
    const known = LEGACY[name];
    return known === undefined ? flag : [known, ...value].join('=');
  });
  return { ...launch, flags };
}

/** Whether a llama.cpp is started so that nothing is computed beside a task: one slot, no continuous batching (B-DP-194). */
export function isDeterministic({
  engine,
  flags = [],
}: {
  engine: string;
  flags?: readonly string[];
}): boolean {
  const slots = flags[flags.findIndex((flag) => ['--parallel', '-np'].includes(flag)) + 1];
  const isBatching = !flags.includes('--no-cont-batching') && !flags.includes('-nocb');
  return engine === 'llamacpp' && slots === '1' && !isBatching;
}

/** What llama-server is told of its model and its work. */
export interface ServerWork {
  model: string;
  /** Name that the engine shows. */
  alias: string;
  host: string;
  port: number;
  /** Of one slot, in tokens; the server's context is divided among the slots. */
  ctx: number;
  slots: number;
  /** All layers go to the GPU. */
  offload: boolean;
}

/** Arguments of llama-server, which the embedded engine shares. */
export function serverFlags({ model, alias, host, port, ctx, slots, offload }: ServerWork): string[] {
  return [
    ...['--model', model, '--alias', alias, '--host', host, '--port', String(port)],
    ...['--ctx-size', String(ctx * slots), '--parallel', String(slots), '--metrics'],
    ...(offload ? ['--n-gpu-layers', '999'] : []),
  ];
}

/** Where the embedded engine's program lies in every installation, compiled or not. */
const EMBEDDED_PROGRAM = /[\\/]engines[\\/]embedded[\\/]main\.[jt]s$/;

/** True for a launch of the engine that Drover ships: it speaks as a worker, others need not. */
export function isEmbeddedEngine({ flags }: { flags: readonly string[] }): boolean {
  return flags.some((flag) => EMBEDDED_PROGRAM.test(flag));
}

/** What a worker is told of itself. */
export interface WorkerSelf {
  worker_id: string;
  /** Where it says that it is up. */
  callback_url: string;
  model_ref: string;
  backend: string;
  device_mask: string | null;
}

/** Arguments that come after those of the launch; its model and its port stand there. */
export function workerFlags({
  worker_id,
  callback_url,
  model_ref,
  backend,
  device_mask,
}: WorkerSelf): string[] {
  return [
    ...[
      '--worker-id',
      worker_id,
      '--callback-url',
      callback_url,
      '--model-ref',
      model_ref,
      '--backend',
      backend,
    ],
    ...(device_mask === null ? [] : ['--device', device_mask]),
  ];
}
