/** What an engine really does: health can lie, and some generate no token by design. */
import { DroverError } from '../../../contracts/errors.js';
import type { Workload } from '../../../contracts/task.js';
import type { EngineAdapter } from './engine-adapter.js';

/** One of the smallest pieces of each other work than completions. */
const PROBES = {
  embedding: (adapter: EngineAdapter, signal: AbortSignal) => adapter.embed?.({ inputs: ['a'] }, signal),
  rerank: (adapter: EngineAdapter, signal: AbortSignal) =>
    adapter.rerank?.({ query: 'a', documents: ['a'] }, signal),
};

/**
 * Makes the engine do the smallest piece of its work: a token, else a vector, else a score.
 * @throws DroverError why it generates no token, where it does nothing else either
 */
export async function probeWork(adapter: EngineAdapter, signal: AbortSignal): Promise<void> {
  try {
    await adapter.probe(signal);
  } catch (err) {
    const doesOther =
      (await doesNow(adapter, 'embedding', signal)) || (await doesNow(adapter, 'rerank', signal));
    if (!doesOther) throw err;
  }
}

/**
 * The workloads that the engine does. One that does nothing else generates tokens: nobody keeps one that does nothing.
 * @throws DroverError for one that does not answer
 */
export async function workloadsOf(adapter: EngineAdapter, signal: AbortSignal): Promise<Workload[]> {
  const others: Workload[] = [];
  for (const workload of ['embedding', 'rerank'] as const)
    if (await does(() => PROBES[workload](adapter, signal))) others.push(workload);
  const completes = others.length === 0 || (await does(() => adapter.probe(signal).then(() => true)));
  return completes ? ['completion', ...others] : others;
}

async function doesNow(adapter: EngineAdapter, workload: keyof typeof PROBES, signal: AbortSignal) {
  return does(() => PROBES[workload](adapter, signal)).catch(() => false);
}

/** Any refusal is a no; only an engine that cannot be asked says neither. */
async function does(ask: () => Promise<unknown> | undefined): Promise<boolean> {
  try {
    return (await ask()) !== undefined;
  } catch (err) {
    if (err instanceof DroverError && (err.code === 'INVALID_PARAMS' || err.code === 'INTERNAL'))
      return false;
    throw err;
  }
}
