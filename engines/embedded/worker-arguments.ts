/** What a worker is told of itself by whoever starts it, beside the flags that it shares with llama-server. */

/** Who the worker is. */
export interface WorkerArguments {
  /** Id under which it is known; default: its host and port. */
  readonly id: string | undefined;
  /** Where it tells that it is up; default: nowhere. */
  readonly callbackUrl: string | undefined;
  /** Base URL that it names there; default: the address that it listens on. */
  readonly url: string | undefined;
  /** Reference of the model that it names there; default: the name in answers. */
  readonly modelRef: string | undefined;
  /** Backend that its launch declares; `cpu` keeps it off the GPU. Default: whatever is there. */
  readonly backend: string | undefined;
  /** Devices that it was given, as its launch names them. */
  readonly device: string | null;
  /** The largest `max_tokens` of an inference. Default 2048. */
  readonly mostTokens: number;
}

/** The flags, as node's parser wants them. */
export const WORKER_FLAGS = {
  'worker-id': { type: 'string' },
  'callback-url': { type: 'string' },
  'worker-url': { type: 'string' },
  'model-ref': { type: 'string' },
  backend: { type: 'string' },
  device: { type: 'string' },
  'max-tokens': { type: 'string', default: '2048' },
} as const;

/** What `--help` prints of them. */
export const WORKER_USAGE = `        --worker-id ID        id that the worker is known by
        --callback-url URL    where it tells that it is up (POST); the key is DROVER_WORKER_KEY or in DROVER_WORKER_KEY_FILE
        --worker-url URL      base URL that it tells there (default: the address that it listens on)
        --model-ref REF       reference of its model that it tells there (default: the name in answers)
        --backend NAME        backend of its launch; cpu keeps it off the GPU
        --device DEVICES      devices of its launch
        --max-tokens N        largest max_tokens of POST /v1/inference (default 2048)
`;

const WORKER_URL = /^https?:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+):(\d{1,5})(?:\/.*)?$/i;

/** True for a base URL with scheme, host and port. */
export function isWorkerUrl(url: string): boolean {
  const port = Number(WORKER_URL.exec(url)?.[1] ?? NaN);
  return port >= 1 && port <= 65_535;
}

/** Reads them; throws an error whose message names the flag, and INVALID_WORKER_URL where that is what is wrong. */
export function readWorkerArguments(
  values: Readonly<Record<string, string | boolean | undefined>>,
  readInteger: (flag: string, text: string) => number,
): WorkerArguments {
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const url = text('worker-url');
  if (url !== undefined && !isWorkerUrl(url)) {
    throw new Error('INVALID_WORKER_URL: --worker-url takes http:// or https:// with a host and a port');
  }
  const callbackUrl = text('callback-url');
  if (callbackUrl !== undefined && !isWorkerUrl(callbackUrl)) {
    throw new Error('--callback-url takes http:// or https:// with a host and a port');
  }
  return {
    id: text('worker-id'),
    ...{ callbackUrl, url: url?.replace(/\/+$/, '') },
    modelRef: text('model-ref'),
    backend: text('backend'),
    device: text('device') ?? null,
    mostTokens: readInteger('--max-tokens', text('max-tokens') ?? ''),
  };
}
