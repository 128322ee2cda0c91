#!/usr/bin/env node
/** `npx drover`: the command line as built; on a fresh clone what it needs is made ready first. */
import { existsSync } from 'node:fs';

const built = new URL('../dist/cli/main.js', import.meta.url);
const setUp = new URL('../setup/bootstrap.mjs', import.meta.url);
if (!existsSync(built)) {
  // Whatever the set-up says is no data.
  const { write } = process.stdout;
  process.stdout.write = process.stderr.write.bind(process.stderr);
  await import(setUp);
  process.stdout.write = write;
}
if (existsSync(built)) await import(built);
