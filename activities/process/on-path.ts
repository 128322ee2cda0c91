/** Programs by their names, as a shell would find them. */
import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Where the PATH of an environment has a program; undefined where it has none. */
export async function onPath(
  program: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter((part) => part !== '')) {
    const path = join(folder, program);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
