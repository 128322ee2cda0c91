/** The command line: llama-server's own flags, so that whoever starts one engine can start the other. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { readWorkerArguments, WORKER_FLAGS, WORKER_USAGE, type WorkerArguments } from './worker-arguments.js';

/** What the engine was asked to be. */
export interface EngineArguments {
  /** Path of the GGUF file. */
  readonly model: string;
  /** Address to listen on. Default 127.0.0.1: the engine has no keys, so anything else is a decision. */
  readonly host: string;
  /** Port to listen on; 0 takes a free one. Default 9931, as llama-server. */
  readonly port: number;
  /** Tokens of context over all slots; each slot gets an equal share. Default 0: up to 4096 per slot. */
  readonly contextSize: number;
  /** Requests that are worked on at the same time. Default 1. */
  readonly parallel: number;
  /** Threads for computing. Default one less than the cores: llama.cpp's workers spin, and starve whatever shares theirs. */
  readonly threads: number;
  /** Layers to keep on the GPU; 0 forbids it. Default undefined: as many as fit, if there is a GPU. */
  readonly gpuLayers: number | undefined;
  /** Name in answers. Default: the model's file name. */
  readonly alias: string | undefined;
  /** Whether `/metrics` answers. Default false. */
  readonly metrics: boolean;
  /** Whether `/v1/embeddings` answers, for which memory for one more context is taken. Default false. */
  readonly embeddings: boolean;
  /** Who the worker is to those who started it. */
  readonly worker: WorkerArguments;
}

/** What `--help` prints. */
export const USAGE = `usage: embedded-engine --model PATH [options]
  -m,   --model PATH          GGUF file to load
        --host ADDRESS        address to listen on (default 127.0.0.1)
        --port PORT           port to listen on, 0 for a free one (default 9931)
  -c,   --ctx-size N          tokens of context, shared equally by the slots (default 0: up to 4096 per slot)
  -np,  --parallel N          slots, that is requests worked on at a time (default 1)
  -t,   --threads N           threads for computing (default: cores - 1, at least 1)
  -ngl, --n-gpu-layers N      layers on the GPU, 0 for none, -1 for as many as fit (default -1)
  -a,   --alias NAME          model name in answers (default: the file's name)
        --metrics             answer GET /metrics
        --embeddings          answer POST /v1/embeddings too (memory for the context of one more slot)
${WORKER_USAGE}`;

/** llama-server's short and alternative spellings; node's parser knows one-letter short flags only. */
const SPELLINGS: Readonly<Record<string, string>> = {
  '-m': '--model',
  '-c': '--ctx-size',
  '-np': '--parallel',
  '-t': '--threads',
  '-ngl': '--n-gpu-layers',
  '--gpu-layers': '--n-gpu-layers',
  '-a': '--alias',
  '--embedding': '--embeddings',
};

const MOST_TOKENS = 2 ** 24;
const MOST_SLOTS = 256;
const MOST_THREADS = 512;
const MOST_LAYERS = 10_000;

/** Reads the arguments; throws an error whose message names the flag and what it takes. */
export function readArguments(args: readonly string[]): EngineArguments {
  const { values } = parseArgs({
    args: joinNegatives(args.map((arg) => SPELLINGS[arg] ?? arg)),
    options: {
      model: { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '9931' },
      'ctx-size': { type: 'string', default: '0' },
      parallel: { type: 'string', default: '1' },
      threads: { type: 'string' },
      'n-gpu-layers': { type: 'string', default: '-1' },
      alias: { type: 'string' },
      metrics: { type: 'boolean', default: false },
      embeddings: { type: 'boolean', default: false },
      ...WORKER_FLAGS,
    },
  });
  if (values.model === undefined || values.model === '') throw new Error('--model is missing');
  const gpuLayers = readInteger('--n-gpu-layers', values['n-gpu-layers'], { least: -1, most: MOST_LAYERS });
  const threads = values.threads ?? String(Math.max(1, availableParallelism() - 1));
  return {
    model: values.model,
    host: values.host,
    port: readInteger('--port', values.port, { least: 0, most: 65_535 }),
    contextSize: readInteger('--ctx-size', values['ctx-size'], { least: 0, most: MOST_TOKENS }),
    parallel: readInteger('--parallel', values.parallel, { least: 1, most: MOST_SLOTS }),
    threads: readInteger('--threads', threads, { least: 1, most: MOST_THREADS }),
    gpuLayers: gpuLayers === -1 ? undefined : gpuLayers,
    alias: values.alias,
    metrics: values.metrics,
    embeddings: values.embeddings,
    worker: readWorkerArguments(values, (flag, text) =>
      readInteger(flag, text, { least: 1, most: MOST_TOKENS }),
    ),
  };
}

/** `--n-gpu-layers -1` is two arguments to us and a missing value to node's parser. */
function joinNegatives(args: readonly string[]): string[] {
  return args.reduce<string[]>((joined, arg) => {
    const before = joined.at(-1);
    if (before === undefined || !before.startsWith('--') || before.includes('=') || !/^-\d+$/.test(arg)) {
      return [...joined, arg];
    }
    return [...joined.slice(0, -1), `${before}=${arg}`];
  }, []);
}

function readInteger(flag: string, text: string, { least, most }: { least: number; most: number }): number {
  const value = Number(text);
  if (/^-?\d+$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`${flag} takes a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
}
