/** Where things are: the programs of this package, and the folders and files of the state folder. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of this package, from wherever its modules run (`dist/` or the sources). */
export const PACKAGE_ROOT = packageRoot(dirname(fileURLToPath(import.meta.url)));

function packageRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : packageRoot(dirname(folder));
}

/** Our programs, as built. */
export const PROGRAMS = {
  api: join(PACKAGE_ROOT, 'dist', 'api', 'server.js'),
  control: join(PACKAGE_ROOT, 'dist', 'workers', 'control.js'),
  node: join(PACKAGE_ROOT, 'dist', 'workers', 'node', 'main.js'),
  guardian: join(PACKAGE_ROOT, 'dist', 'stack', 'guardian.js'),
  embeddedEngine: join(PACKAGE_ROOT, 'dist', 'engines', 'embedded', 'main.js'),
  demoModel: join(PACKAGE_ROOT, 'dist', 'engines', 'demo-model', 'main.js'),
  findTemporal: join(PACKAGE_ROOT, 'setup', 'find-temporal.mjs'),
} as const;

/** The state folder's layout, as far as `npm start` uses it. */
export interface Places {
  stateDir: string;
  /** What runs now: see `stack-record.ts`. */
  stackFile: string;
  logDir: string;
  /** Temporal's database. */
  temporalDir: string;
  modelDir: string;
  /** The node worker's folder; its spawn records name the engines. */
  nodeDir: string;
  logFile: (process: string) => string;
}

/** Layout of a state folder. */
export function placesIn(stateDir: string): Places {
  const logDir = join(stateDir, 'logs');
  return {
    stateDir,
    logDir,
    stackFile: join(stateDir, 'stack.json'),
    temporalDir: join(stateDir, 'temporal'),
    modelDir: join(stateDir, 'models'),
    nodeDir: join(stateDir, 'node'),
    logFile: (process) => join(logDir, `${process}.log`),
  };
}
