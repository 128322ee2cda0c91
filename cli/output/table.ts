/** Aligned columns. */
import { stripVTControlCharacters } from 'node:util';

/** Between two columns. */
const GAP = '  ';

/** Lines of a table, its head first; the last column is not filled up. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return aligned([head, ...rows]);
}

/** Lines of names and values. */
export function properties(entries: Readonly<Record<string, string | number | boolean | null>>): string[] {
  return aligned(
    Object.entries(entries).map(([name, value]) => [name, value === null ? '-' : String(value)]),
  );
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(oneLine));
  const widthOfColumn = (column: number) => Math.max(...cells.map((row) => widthOf(row[column])));
  const widths = cells[0]?.map((_, column) => widthOfColumn(column)) ?? [];
  const filled = (cell: string, column: number) =>
    cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)));
  return cells.map((row) => row.map(filled).join(GAP).trimEnd());
}

/** What a server says must not steer the terminal. */
function oneLine(cell: string): string {
  // eslint-disable-next-line no-control-regex -- these are what a cell must not hold; colours are ours
  return cell.replace(/[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f]/g, ' ');
}

function widthOf(cell = ''): number {
  return Array.from(stripVTControlCharacters(cell)).length;
}
