/**
 * Runs the named test suites one after the other and sums them up: a line a suite, then, as the very last line,
 * `N passed, N failed`. Exit code 1 when anything failed.
 *
 *     node setup/run-suites.mjs unit workflows features clients pools timed engines dialects
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installDebianPackage } from './debian.mjs';
import { onPath } from './programs.mjs';
import { suites } from './suites.mjs';
import { prepareTestParts } from './test-parts.mjs';

const print = (line) => process.stdout.write(`${line}\n`);

const names = process.argv.slice(2);
const unknown = names.filter((name) => suites[name] === undefined);
if (names.length === 0 || unknown.length > 0) {
  process.stderr.write(`usage: run-suites.mjs ${Object.keys(suites).join('|')} …\n`);
  process.exit(2);
}

/** Unit tests need no server, so nothing is fetched for them. */
const needsParts = names.some((name) => name !== 'unit');
/** What one suite needs beside that. */
const PREPARE = { pools: preparePoolsSuite, engines: prepareEnginesSuite, dialects: prepareDialectsSuite };
const results = [];
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (interrupted = true));
const folder = await mkdtemp(join(tmpdir(), 'drover-suites-'));
try {
  const parts = needsParts ? await prepareTestParts({ log: print }) : {};
  for (const name of names) if (!interrupted) results.push({ name, ...(await runNamed(name, parts)) });
} finally {
  await rm(folder, { recursive: true, force: true });
}
report(results);

async function runNamed(name, parts) {
  print(`\n── ${name} ──`);
  const startedAt = Date.now();
  const env = { ...parts, ...(await PREPARE[name]?.()) };
  const result = await suites[name](join(folder, name), env);
  return { ...result, seconds: ((Date.now() - startedAt) / 1000).toFixed(1) };
}

/** What a node builds an engine with. */
async function preparePoolsSuite() {
  for (const [name, program] of [
    ['cmake', 'cmake'],
    ['make', 'make'],
    ['g++', 'gcc'],
  ])
    if (onPath(program) === undefined) await installDebianPackage(name, program, print);
  return {};
}

/** Another server in OpenAI's words, which takes minutes to build. */
async function prepareDialectsSuite() {
  const { installLlamaCppPython } = await import('./install-llama-cpp-python.mjs');
  return { DROVER_TEST_LLAMA_CPP_PYTHON: await installLlamaCppPython({ log: print }) };
}

/** What only the suite `engines` needs: llama.cpp's own server as others package it, hosts of their own, an S3 server. */
async function prepareEnginesSuite() {
  if (onPath('ip') === undefined) await installDebianPackage('iproute2', 'ip', print);
  const { installXllamacpp } = await import('./install-xllamacpp.mjs');
  const { launcher } = await installXllamacpp({ log: print });
  const { prepareS3Server } = await import('./s3-server.mjs');
  return { DROVER_TEST_XLLAMACPP: launcher, DROVER_TEST_S3: await prepareS3Server({ log: print }) };
}

function report(all) {
  print('');
  for (const { name, passed, failed, seconds, notes } of all) {
    print(`${name}: ${passed} passed, ${failed} failed (${seconds} s)`);
    for (const note of notes) print(`  ${note}`);
  }
  const sum = (key) => all.reduce((total, result) => total + result[key], 0);
  process.exitCode = sum('failed') > 0 ? 1 : 0;
  print(`${sum('passed')} passed, ${sum('failed')} failed`);
}
