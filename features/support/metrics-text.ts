/** Prometheus' text format, read: what is announced, and each series' value. */

/** Value of every series, by its name and labels as they stand in the text. */
export interface Metrics {
  /** Name to type, from the TYPE lines. */
  types: Map<string, string>;
  /** Names that have a HELP line. */
  helped: Set<string>;
  series: Series[];
}

/** One line with a value. */
export interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Parses an exposition. @throws Error for a line that is none of the format's */
export function parseMetrics(text: string): Metrics {
  const metrics: Metrics = { types: new Map(), helped: new Set(), series: [] };
  for (const line of text.split('\n').filter((entry) => entry !== '')) {
    const [, kind, name, rest] = /^# (TYPE|HELP) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'TYPE' && name !== undefined) metrics.types.set(name, rest ?? '');
    else if (kind === 'HELP' && name !== undefined) metrics.helped.add(name);
    else if (!line.startsWith('#')) metrics.series.push(parseSeries(line));
  }
  return metrics;
}

function parseSeries(line: string): Series {
  const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`no Prometheus text: ${line}`);
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]);
  return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) };
}

/** Sum of all series of this name whose labels have these values. */
export function sumOf(metrics: Metrics, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels);
  const matching = metrics.series.filter(
    (series) => series.name === name && wanted.every(([key, value]) => series.labels[key] === value),
  );
  return matching.reduce((sum, { value }) => sum + value, 0);
}

/** Names of series that no TYPE line announces. */
export function undeclared({ types, series }: Metrics): string[] {
  const announced = (name: string) =>
    types.has(name) || types.get(name.replace(/_(?:bucket|sum|count)$/, '')) === 'histogram';
  return series.map(({ name }) => name).filter((name) => !announced(name));
}
