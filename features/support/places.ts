/** Where the features find what they start, and what they leave behind. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { isAlive } from '../../testing/processes.js';
import { runToEnd } from '../../testing/run-to-end.js';

const ROOT = resolve(import.meta.dirname, '..', '..');

/** What `npm run build` leaves. */
export const PROGRAMS = {
  api: join(ROOT, 'dist', 'api', 'server.js'),
  node: join(ROOT, 'dist', 'workers', 'node', 'main.js'),
  control: join(ROOT, 'dist', 'workers', 'control.js'),
  cli: join(ROOT, 'dist', 'cli', 'main.js'),
  embeddedEngine: join(ROOT, 'dist', 'engines', 'embedded', 'main.js'),
  demoModel: join(ROOT, 'dist', 'engines', 'demo-model', 'main.js'),
} as const;

/** A chat template with tools, in llama-server's words. */
export const TOOLS_TEMPLATE = join(ROOT, 'testing', 'xllamacpp', 'tools.jinja');

/** Programs and files that the suite runner made ready (`setup/test-parts.mjs`). */
const parts = z.object({
  DROVER_TEST_TEMPORAL: z.string(),
  DROVER_TEST_SERVER: z.string(),
  DROVER_TEST_MODEL: z.string(),
  DROVER_TEST_XLLAMACPP: z.string().optional(),
});

/** The parts' type. */
export type TestParts = z.infer<typeof parts>;

/** The parts that the suite runner names; for one feature run by hand they are looked for here. */
export async function findTestParts(): Promise<TestParts> {
  const told = parts.safeParse(process.env);
  if (told.success) return told.data;
  const module = pathToFileURL(join(ROOT, 'setup', 'test-parts.mjs')).href;
  const program = `const { prepareTestParts } = await import(${JSON.stringify(module)});
    process.stdout.write(JSON.stringify(await prepareTestParts()));`;
  const found: unknown = JSON.parse(
    await runToEnd(process.execPath, ['--input-type=module', '--eval', program]),
  );
  return parts.parse({ ...process.env, ...Object(found) });
}

/** Folders of one run of the features. */
export interface RunFolders {
  /** State of every process; every command line or environment of ours names it. Removed at the end. */
  work: string;
  /** Output of every process; kept. */
  logs: string;
}

/** Makes the folders; the logs of runs that are over go. */
export async function makeRunFolders(profile: string): Promise<RunFolders> {
  const work = await mkdtemp(join(tmpdir(), 'drover-features-'));
  const kept = join(ROOT, '.test-logs');
  await mkdir(kept, { recursive: true });
  const old = (await readdir(kept)).filter((name) => name.startsWith(`${profile}-`));
  const over = old.filter((name) => !isAlive(Number(name.slice(profile.length + 1))));
  await Promise.all(over.map((name) => rm(join(kept, name), { recursive: true, force: true })));
  const logs = join(kept, `${profile}-${process.pid}`);
  await mkdir(logs, { recursive: true });
  return { work, logs };
}
