/** Version of the running program, for health answers: what `package.json` says, whether run as built or from source. */
import { readFileSync } from 'node:fs';

/** The package's version. */
export function packageVersion(): string {
  const path = import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json';
  const { version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string };
  return version;
}
