/** Clients that work at the same time, each beginning its next task when it has done with the last. */

/**
 * Does `total` pieces of work, at most `count` at once.
 * @throws whatever a piece throws; the others finish first
 */
export async function clients<T>(
  count: number,
  total: number,
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  let failed = false;
  async function client(): Promise<void> {
    while (next < total && !failed) {
      const index = next++;
      try {
        results[index] = await work(index);
      } catch (err) {
        failed = true;
        throw err;
      }
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: count }, client));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}
