/**
 * Why an engine is gone: what its process, its log and the system say, in one word that operators count by and one that
 * they read (pool-lifecycle 8.1).
 */

/** Kinds of crashes, as metrics are labelled with them; `restart_failed`: the engine did not even come up again. */
export type CrashKind =
  | 'process_exit'
  | 'signal'
  | 'health_check_failure'
  | 'cuda_error'
  | 'out_of_memory'
  | 'driver_reset'
  | 'graceful_exit'
  | 'restart_failed';

/** What is known of an engine that is gone. */
export interface CrashFacts {
  /** Null where a signal ended it, or where nobody was told: an adopted engine is nobody's child. */
  exit_code: number | null;
  signal: string | null;
  /** It lived and did not answer its health. */
  silent: boolean;
  /** The system ended a process for want of memory while this one ended. */
  oom_killed: boolean;
  /** What it wrote last; nothing of an engine before it. */
  log_tail: string;
}

/** The verdict. */
export interface Crash {
  kind: CrashKind;
  /** The kind and its figure: `process_exit(134)`, `signal(SIGSEGV)`, `out_of_memory(vram)`. */
  reason: string;
}

/** The driver has lost or reset the device, or its memory holds an error that it cannot mend (B-SUPER-015). */
const DRIVER_RESET =
  /uncorrectable ECC|ECC error|\bXid\b|fallen off the bus|GPU is lost|driver reset|device reset/i;
/** Device memory that ran out; CUDA reports it as one of its errors (B-SUPER-009). */
const VRAM_FULL =
  /CUDA error: out of memory|CUDA out of memory|cudaMalloc failed|cudaErrorMemoryAllocation|(failed|unable) to allocate (CUDA|ROCm|Vulkan)/i;
/** Memory of the host that ran out, as C++, Node and llama.cpp say it before they give up. */
const RAM_FULL =
  /std::bad_alloc|JavaScript heap out of memory|Cannot allocate memory|(failed|unable) to allocate CPU\w* buffer|insufficient memory \(attempted/i;
const CUDA_ERROR = /CUDA error/;

/** Classifies a crash. */
export function classifyCrash(facts: CrashFacts): Crash {
  const { exit_code, signal, silent, oom_killed, log_tail } = facts;
  if (silent) return { kind: 'health_check_failure', reason: 'health_check_failure' };
  // Whatever it wrote before: who ends with 0 says that all is well (B-SUPER-006).
  if (exit_code === 0) return { kind: 'graceful_exit', reason: 'graceful_exit' };
  const wasKilled = signal === 'SIGKILL' || (signal === null && exit_code === null);
  if (oom_killed && wasKilled) return { kind: 'out_of_memory', reason: 'out_of_memory(host)' };
  const told = toldByLog(log_tail);
  if (told !== undefined) return told;
  if (signal !== null) return { kind: 'signal', reason: `signal(${signal})` };
  return { kind: 'process_exit', reason: `process_exit(${exit_code ?? 'unknown'})` };
}

/** Classifies a restart that failed by what it failed with: the words hold the end of the engine's log. */
export function classifyFailedRestart(type: string, message: string): Crash {
  const told = /out_of_memory\((?:host|vram)\)/.exec(message)?.[0];
  if (told !== undefined) return { kind: 'out_of_memory', reason: told };
  return toldByLog(message) ?? { kind: 'restart_failed', reason: `restart_failed(${type})` };
}

function toldByLog(text: string): Crash | undefined {
  if (DRIVER_RESET.test(text)) return { kind: 'driver_reset', reason: 'driver_reset' };
  if (VRAM_FULL.test(text)) return { kind: 'out_of_memory', reason: 'out_of_memory(vram)' };
  if (RAM_FULL.test(text)) return { kind: 'out_of_memory', reason: 'out_of_memory(host)' };
  return CUDA_ERROR.test(text) ? { kind: 'cuda_error', reason: 'cuda_error' } : undefined;
}
