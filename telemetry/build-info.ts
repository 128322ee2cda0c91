/** Which build runs: what `setup/build.mjs` wrote beside it. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const buildInfo = z.object({ commit: z.string().nullable(), time: z.string() });

/** Commit and time of the build; both null when the sources run as they are. */
export function readBuildInfo(): { commit: string | null; time: string | null } {
  if (import.meta.url.endsWith('.ts')) return { commit: null, time: null };
  return buildInfo.parse(JSON.parse(readFileSync(new URL('../build-info.json', import.meta.url), 'utf8')));
}
