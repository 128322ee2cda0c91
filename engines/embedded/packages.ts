/** Finds the engine's own packages, which are installed apart from the repository's. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { LlamaPackage, TemplatePackage } from './llama-types.js';

/** Both packages, loaded. */
export interface EnginePackages {
  readonly llama: LlamaPackage;
  readonly template: TemplatePackage;
}

/** Loads the packages; throws an error that says how to install them when they are not there. */
export async function loadPackages(): Promise<EnginePackages> {
  const manifest = findManifest(dirname(fileURLToPath(import.meta.url)));
  const require = createRequire(manifest);
  const load = async (name: string): Promise<unknown> => {
    let path: string;
    try {
      path = require.resolve(name);
    } catch (cause) {
      const message = `${name} is not installed; run: node setup/install-embedded-engine.mjs`;
      throw new Error(message, { cause });
    }
    return import(pathToFileURL(path).href);
  };
  const [llama, template] = await Promise.all([load('node-llama-cpp'), load('@huggingface/jinja')]);
  // The shapes are those of the pinned versions; engines/embedded/engine.test.ts runs against them.
  return { llama: llama as LlamaPackage, template: template as TemplatePackage };
}

/** `engines/embedded/package.json` of the repository, whether we run from the sources or from `dist/`. */
function findManifest(folder: string): string {
  const candidate = join(folder, 'engines', 'embedded', 'package.json');
  if (existsSync(candidate)) return candidate;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('engines/embedded/package.json was not found above the engine');
  return findManifest(parent);
}
