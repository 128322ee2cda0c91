/** How many layers a model has, as its file says. */
import type { LlamaPackage } from './llama-types.js';
import { isObject } from './request-fields.js';

/** Reads the header alone. A file that does not say counts as one layer: it is loaded, or it is not. */
export async function countLayers(
  { readGgufFileInfo }: Pick<LlamaPackage, 'readGgufFileInfo'>,
  modelPath: string,
): Promise<number> {
  const { metadata } = await readGgufFileInfo(modelPath);
  const section = metadata[metadata.general?.architecture ?? ''];
  const blocks = isObject(section) ? section['block_count'] : undefined;
  return typeof blocks === 'number' && blocks > 0 ? blocks : 1;
}
