/** What the figures were measured on. */
import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** One line: cores, model, memory, kernel, Node. */
export function machineInWords(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  const gib = Math.round(totalmem() / 2 ** 30);
  const cores = availableParallelism();
  return `${cores} ${cores === 1 ? 'core' : 'cores'} (${model}), ${gib} GiB memory, Linux ${release()}, Node ${process.version}`;
}
