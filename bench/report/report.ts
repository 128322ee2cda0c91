/** What a scenario found: tables for people, and the goals that it was held against. */

/** A table; the first column names the row. */
export interface Table {
  title: string;
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

/** A figure that was to be reached. */
export interface Goal {
  what: string;
  value: number;
  reach: number;
  unit: 'ms' | 's' | '%';
  /** True: more is better. */
  atLeast?: boolean;
}

/** One scenario's result. */
export interface Report {
  tables: readonly Table[];
  goals: readonly Goal[];
}

/** True when the figure is as good as it was to be. */
export function isMet({ value, reach, atLeast = false }: Goal): boolean {
  return atLeast ? value >= reach : value <= reach;
}

/** A number as a table shows it: three figures, no more than two places. */
export function shown(value: number): string {
  const places = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(places);
}

/** Goals as a table. */
export function goalTable(goals: readonly Goal[]): Table {
  const rows = goals.map((goal) => {
    const bound = `${goal.atLeast === true ? '≥' : '≤'} ${shown(goal.reach)} ${goal.unit}`;
    return [goal.what, `${shown(goal.value)} ${goal.unit}`, bound, isMet(goal) ? 'yes' : 'no'];
  });
  return { title: 'Goals', columns: ['figure', 'measured', 'goal', 'met'], rows };
}

/** A table in Markdown. */
export function inMarkdown({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = columns.map((_, at) => (at === 0 ? '---' : '---:'));
  return [`**${title}**`, '', line(columns), line(rule), ...rows.map(line)].join('\n');
}

/** A table for a terminal. */
export function inText({ title, columns, rows }: Table): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)));
  const pad = (cell: string, at: number) =>
    at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0);
  return ['', title, ...all.map((row) => `  ${row.map(pad).join('  ')}`)].join('\n');
}
