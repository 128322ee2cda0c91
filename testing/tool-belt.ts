/** Tools of a test's own, before those of the machine: shell scripts that do what they are written to, and note that they did. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runToEnd } from './run-to-end.js';

/** Tools in a folder. */
export interface ToolBelt {
  /** PATH with the folder before the machine's own. */
  path: string;
  /** PATH with the folder alone. */
  alone: string;
  /** Adds a tool, or puts another in its place. */
  put: (name: string, script: string) => Promise<void>;
  /** What a tool was called with, a line a call. */
  calls: (name: string) => Promise<string[]>;
}

/** An empty belt below `folder`. */
export async function toolBelt(folder: string): Promise<ToolBelt> {
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  return {
    path: `${bin}:${process.env['PATH'] ?? ''}`,
    alone: bin,
    async put(name, script) {
      const path = join(bin, name);
      await writeFile(path, `#!/bin/sh\necho "$@" >> '${path}.calls'\n${script}\n`);
      await chmod(path, 0o755);
    },
    async calls(name) {
      const text = await readFile(join(bin, `${name}.calls`), 'utf8').catch(() => '');
      return text.split('\n').filter((line) => line !== '');
    },
  };
}

/** `cmake` as far as an engine that is a shell script needs it: what the source has as `engine.sh` is the program. */
export const SCRIPTED_CMAKE = `
if [ "$1" = --build ]; then
  env > "$2/seen-environment"
  if [ -e "$2/../source/broken" ]; then echo "engine.sh:1: error: expected ';'" >&2; exit 2; fi
  mkdir -p "$2/bin" && cp "$2/../source/engine.sh" "$2/bin/llama-server" && chmod 755 "$2/bin/llama-server"
else
  mkdir -p "$4"
fi`;

/**
 * A git repository below `folder` with a commit for each of these, under its tag; `main` is at the last.
 * @returns its address
 */
export async function sourceRepository(
  folder: string,
  tagged: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<string> {
  const work = join(folder, 'origin');
  await mkdir(work, { recursive: true });
  const git = (...args: string[]) => runToEnd('git', ['-C', work, ...args]);
  const author = ['-c', 'user.name=origin', '-c', 'user.email=origin@drover.test'];
  await git('init', '--quiet', '--initial-branch', 'main');
  for (const [tag, files] of Object.entries(tagged)) {
    for (const [name, text] of Object.entries(files)) await writeFile(join(work, name), text);
    await git('add', '--all');
    await git(...author, 'commit', '--quiet', '--message', tag);
    await git('tag', tag);
  }
  return `file://${work}`;
}
