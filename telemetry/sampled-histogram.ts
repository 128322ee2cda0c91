/** Histograms that look at every n-th observation, for processes with so many tasks that each would cost too much. */
import type { Histogram } from 'prom-client';

/**
 * Observes every `every`-th value of each series, beginning with the first; sum and count are then of the observed ones
 * alone (B-OBS-013). With 1 the histogram itself.
 */
export function sampled<L extends string>(
  histogram: Histogram<L>,
  every: number,
): { observe(labels: Partial<Record<L, string | number>>, value: number): void } {
  if (every === 1) return histogram;
  const seen = new Map<string, number>();
  return {
    observe(labels, value) {
      const series = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
      const before = seen.get(series) ?? 0;
      seen.set(series, (before + 1) % every);
      if (before === 0) histogram.observe(labels, value);
    },
  };
}
