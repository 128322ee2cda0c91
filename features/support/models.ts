/** The models that the features serve: both say the same words, one of them slowly. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runToEnd } from '../../testing/run-to-end.js';
import { PROGRAMS } from './places.js';

/** `demo` gives more than a thousand tokens a second on one core; `slow` about 70, so that a stream can be met midway. */
export type ModelName = 'demo' | 'slow';

/** Padding of the slow model: 4 idle layers of this width make 130 MB, cost much computing and little cache, and change no word. */
const SLOW = ['--pad-layers', '4', '--ffn', '12288'];

/** The model files of one run. */
export class Models {
  private slow: Promise<string> | undefined;

  constructor(
    private readonly folder: string,
    private readonly demoSource: string,
  ) {}

  /** Path of a model, made at its first use; in the run's folder, so that every engine's command line names that. */
  path(name: ModelName): Promise<string> {
    if (name === 'demo') return this.copyDemo();
    this.slow ??= this.makeSlow();
    return this.slow;
  }

  private async copyDemo(): Promise<string> {
    const path = join(this.folder, 'demo.gguf');
    await copyFile(this.demoSource, path);
    return path;
  }

  private async makeSlow(): Promise<string> {
    const path = join(this.folder, 'slow.gguf');
    await runToEnd(process.execPath, [PROGRAMS.demoModel, '--out', path, ...SLOW]);
    return path;
  }
}
