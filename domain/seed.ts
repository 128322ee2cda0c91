/** Seed of a task's sampling (B-DP-192). */

/** FNV-1a: spreads short ids well, and is the same everywhere. */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
/** Engines keep seeds in 32 bits, some of them signed; llama-server takes the largest as "any". */
const MASK = 0x7fffffff;

/** The seed that was asked for; without one it follows from the task's id, so that a run that is repeated or continued has the same. */
export function seedOf({ task_id, seed }: { task_id: string; seed?: number | undefined }): number {
  if (seed !== undefined) return seed;
  let hash = OFFSET;
  for (const letter of task_id) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), PRIME);
  return hash & MASK;
}
