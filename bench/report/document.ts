/** The generated parts of `docs/benchmarks.md`: what stands between two markers is the bench's, the rest is ours. */
import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';

/**
 * Replaces what stands between `<!-- figures:<name> -->` and `<!-- end of <name> -->`.
 * @throws Error when the document has no such place
 */
export function withFigures(document: string, name: string, figures: string): string {
  const [begin, end] = [`<!-- figures:${name} -->`, `<!-- end of ${name} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the document has no place for the figures "${name}"`);
  return `${document.slice(0, from + begin.length)}\n\n${figures}\n\n${document.slice(to)}`;
}

/** Writes all figures into the document, formatted as `npm run check` wants it. */
export async function writeFigures(path: string, figures: ReadonlyMap<string, string>): Promise<void> {
  let document = await readFile(path, 'utf8');
  for (const [name, text] of figures) document = withFigures(document, name, text);
  const config = await resolveConfig(path);
  await writeFile(path, await format(document, { ...config, filepath: path }));
}
