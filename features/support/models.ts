/** The models that the features serve: all say the same words, some of them slowly. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runToEnd } from '../../testing/run-to-end.js';
import { PROGRAMS } from './places.js';

/**
 * Layers that cost computing and little cache and change no word. On one core of our test machine `demo` gives more
 * than a thousand tokens a second, `slow` about 80, so that a stream can be met midway, and `slower` about 40, so that
 * a context's worth of tokens takes longer than 40 s.
 */
const PADDING = {
  demo: [],
  slow: ['--pad-layers', '4', '--ffn', '12288'],
  slower: ['--pad-layers', '6', '--ffn', '16384'],
} as const;

/** Name of a model. */
export type ModelName = keyof typeof PADDING;

/** The model files of one run, each made at its first use. */
export class Models {
  private readonly made = new Map<ModelName, Promise<string>>();

  constructor(
    private readonly folder: string,
    private readonly demoSource: string,
  ) {}

  /** Path of a model; in the run's folder, so that every engine's command line names that. */
  path(name: ModelName): Promise<string> {
    const known = this.made.get(name) ?? this.make(name);
    this.made.set(name, known);
    return known;
  }

  private async make(name: ModelName): Promise<string> {
    const path = join(this.folder, `${name}.gguf`);
    if (name === 'demo') await copyFile(this.demoSource, path);
    else await runToEnd(process.execPath, [PROGRAMS.demoModel, '--out', path, ...PADDING[name]]);
    return path;
  }
}
