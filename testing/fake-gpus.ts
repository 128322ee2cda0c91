/** An `nvidia-smi` that lists the GPUs a test wants, and others when the test has changed its mind. */
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A GPU that is not there; by default an H100 with little in use. */
export interface FakeGpu {
  index: string;
  name?: string;
  totalMib?: number;
  freeMib?: number;
  celsius?: number;
  /** Names of its slices. */
  mig?: readonly string[];
}

/** A folder with the tool. */
export interface FakeGpus {
  /** The folder: a PATH by itself. */
  PATH: string;
  /** Lists other GPUs from now on. */
  change(gpus: readonly FakeGpu[]): Promise<void>;
  /** Fails with these words from now on, as a driver does that has gone wrong. */
  fail(words: string): Promise<void>;
}

/** In a shell that finds no other program: its own words alone. */
const SCRIPT = `#!/bin/sh
folder="\${0%/*}"
say() { while IFS= read -r line; do echo "$line"; done <"$folder/$1"; }
if [ -e "$folder/problem" ]; then say problem; exit 18; fi
if [ "$1" = "-L" ]; then say list; else say query; fi
`;

/** Puts the tool into `folder`. */
export async function fakeGpusIn(folder: string, gpus: readonly FakeGpu[]): Promise<FakeGpus> {
  await mkdir(folder, { recursive: true });
  const replace = async (name: string, text: string): Promise<void> => {
    await writeFile(join(folder, `${name}.new`), text);
    await rename(join(folder, `${name}.new`), join(folder, name));
  };
  const change = async (listed: readonly FakeGpu[]): Promise<void> => {
    await replace('list', listOf(listed));
    await replace('query', queryOf(listed));
    await rm(join(folder, 'problem'), { force: true });
  };
  await change(gpus);
  await writeFile(join(folder, 'nvidia-smi'), SCRIPT);
  await chmod(join(folder, 'nvidia-smi'), 0o755);
  return { PATH: folder, change, fail: (words) => replace('problem', `${words}\n`) };
}

/** The same in a folder that goes with the test. */
export async function fakeGpus(t: TestContext, gpus: readonly FakeGpu[]): Promise<FakeGpus> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-gpus-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return fakeGpusIn(folder, gpus);
}

function queryOf(gpus: readonly FakeGpu[]): string {
  const header =
    'index, uuid, name, compute_cap, memory.total [MiB], memory.free [MiB], temperature.gpu, mig.mode.current';
  const rows = gpus.map(
    ({ index, name = 'NVIDIA H100 80GB HBM3', totalMib = 81_559, freeMib = 80_000, celsius = 34, mig }) => {
      const mode = mig === undefined ? 'Disabled' : 'Enabled';
      return `${index}, GPU-${index}, ${name}, 9.0, ${totalMib} MiB, ${freeMib} MiB, ${celsius}, ${mode}`;
    },
  );
  return [header, ...rows, ''].join('\n');
}

function listOf(gpus: readonly FakeGpu[]): string {
  return gpus
    .flatMap(({ index, name = 'NVIDIA H100 80GB HBM3', mig = [] }) => [
      `GPU ${index}: ${name} (UUID: GPU-${index})`,
      ...mig.map((slice, at) => `  MIG 1g.10gb     Device  ${at}: (UUID: ${slice})`),
      '',
    ])
    .join('\n');
}
