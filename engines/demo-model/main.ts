/**
 * Writes the demo model: a small GGUF that any llama.cpp loads, made from this folder alone, without a download.
 *
 *   node dist/engines/demo-model/main.js --out PATH [--pad-layers N] [--ffn M]
 *
 * Exit code 0 when the file is there, 1 when it could not be written, 2 for wrong arguments.
 */
import { parseArgs } from 'node:util';
import { type ModelOptions, writeModel } from './build-model.js';

const USAGE = `usage: demo-model --out PATH [--pad-layers N] [--ffn M]
  --out PATH       where to write the model (replaced atomically)
  --pad-layers N   add N layers that cost time and memory and change no word; default 0
  --ffn M          width of each layer's feed-forward part; default 32
`;
/** 24 layers of width 2048 make 200 MB; these limits keep a slip of the finger from filling the disk. */
const LIMITS = { padLayers: 256, feedForward: 16_384 };

function readArguments(args: string[]): { out: string } & ModelOptions {
  const { values } = parseArgs({
    args,
    options: { out: { type: 'string' }, 'pad-layers': { type: 'string' }, ffn: { type: 'string' } },
  });
  if (values.out === undefined || values.out === '') throw new Error('--out is missing');
  return {
    out: values.out,
    padLayers: readCount('--pad-layers', values['pad-layers'] ?? '0', { least: 0, most: LIMITS.padLayers }),
    feedForward: readCount('--ffn', values.ffn ?? '32', { least: 32, most: LIMITS.feedForward }),
  };
}

function readCount(flag: string, text: string, { least, most }: { least: number; most: number }): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`${flag} must be a whole number from ${least} to ${most}`);
}

async function main(): Promise<number> {
  let options;
  try {
    options = readArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  try {
    const bytes = await writeModel(options.out, options);
    process.stdout.write(`${JSON.stringify({ event: 'written', path: options.out, bytes })}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(
      `cannot write ${options.out}: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return 1;
  }
}

process.exitCode = await main();
