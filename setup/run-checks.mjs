/**
 * `npm run check`: format, lint, types, walls between the rooms, unused code, and the two generated documents. All run
 * even when one fails; what failed is printed whole. The last line is `N checks passed, N failed`.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
/** Many times what any of them takes; a tool that hangs fails. */
const LIMIT_MS = 300_000;
/** What dependency-cruiser walks. */
const ROOMS = [
  ...['domain', 'contracts', 'workflows', 'activities', 'api', 'workers', 'store', 'telemetry', 'security'],
  ...['stack', 'cli', 'engines', 'testing', 'features', 'bench', 'setup'],
];

const tool = (path, ...args) => [join(ROOT, 'node_modules', path), ...args];
/** The longest first, so that the rest fits beside it. */
const CHECKS = {
  lint: tool('eslint/bin/eslint.js', '.'),
  types: tool('typescript/bin/tsc', '--noEmit'),
  format: tool('prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'),
  rooms: tool(
    'dependency-cruiser/bin/dependency-cruise.mjs',
    '--output-type',
    'err',
    ...ROOMS.filter((room) => existsSync(join(ROOT, room))),
  ),
  compose: tool('dclint/bin/dclint.cjs', '--quiet', 'docker-compose.yml'),
  unused: tool('knip/bin/knip.js', '--no-progress'),
  openapi: [join(ROOT, 'dist', 'api', 'write-openapi.js'), '--check'],
  configuration: [join(ROOT, 'setup', 'write-configuration.mjs'), '--check'],
};

const print = (line) => process.stdout.write(`${line}\n`);
const waiting = Object.entries(CHECKS);
const results = [];
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, work));
const failed = results.filter((ok) => !ok).length;
process.exitCode = failed > 0 ? 1 : 0;
print(`${results.length - failed} checks passed, ${failed} failed`);

async function work() {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [name, args] = next;
    const startedAt = Date.now();
    const { ok, output } = await run(args);
    results.push(ok);
    print(`${ok ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
    if (!ok) print(output.trimEnd().replaceAll(/^/gm, '    '));
  }
}

function run(args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, FORCE_COLOR: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => done({ ok: false, output: error.message }));
    child.on('close', (code, signal) => {
      done({ ok: code === 0, output: signal === null ? output : `${output}\nended by ${signal}` });
    });
  });
}
