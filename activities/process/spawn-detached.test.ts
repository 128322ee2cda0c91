import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually } from '../../testing/changes.js';
import { killGroup } from '../../testing/processes.js';
import { readProcess } from './process-table.js';
import { processStartTicks } from './process-identity.js';
import { spawnDetached, SpawnError, type DetachedCommand } from './spawn-detached.js';

let folder: string;
// A detached child does not keep the event loop, so a test that waits for one must.
const awake = setInterval(() => undefined, 1_000);
after(() => clearInterval(awake));
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-spawn-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function program(source: string, changes: Partial<DetachedCommand> = {}): DetachedCommand {
  return {
    command: process.execPath,
    args: ['-e', source],
    env: {},
    cwd: folder,
    logFile: join(folder, 'engine.log'),
    ...changes,
  };
}

test('B-PROC-001 B-PROC-002: the command gets its arguments one by one, never through a shell', async () => {
  const logFile = join(folder, 'args.log');
  const args = [
    '-e',
    'console.log(JSON.stringify(process.argv.slice(1)))',
    'a b',
    '$HOME',
    '; echo no',
    '',
    '*',
  ];
  const child = await spawnDetached(program('', { args, logFile }));
  assert.deepEqual(await child.exited, { code: 0, signal: null });
  assert.deepEqual(JSON.parse(await readFile(logFile, 'utf8')), ['a b', '$HOME', '; echo no', '', '*']);
});

test('B-PROC-003 B-PROC-004 B-PROC-006: standard output and error are appended to one log, old content kept', async () => {
  const logFile = join(folder, 'appended.log');
  await writeFile(logFile, 'before\n', { mode: 0o600 });
  const child = await spawnDetached(program('console.log("out"); console.error("err")', { logFile }));
  await child.exited;
  assert.equal(await readFile(logFile, 'utf8'), 'before\nout\nerr\n');
  assert.equal((await stat(logFile)).mode & 0o777, 0o600);
});

test('B-PROC-020: the process leads a group of its own and is named by pid and start time', async () => {
  const child = await spawnDetached(program('setInterval(() => {}, 1000)'));
  assert.ok(child.pid > 0);
  const entry = await readProcess(child.pid);
  assert.equal(entry?.groupId, child.pid);
  assert.equal(entry.startTicks, child.startTicks);
  process.kill(child.pid, 'SIGKILL');
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  assert.equal(await processStartTicks(child.pid), undefined);
});

test('a process that ends at once is still named, and its exit is known', async () => {
  const child = await spawnDetached({ ...program(''), command: '/bin/sh', args: ['-c', 'exit 7'] });
  assert.match(child.startTicks, /^\d+$/);
  assert.deepEqual(await child.exited, { code: 7, signal: null });
});

test('the environment is exactly the given one', async () => {
  const logFile = join(folder, 'env.log');
  const child = await spawnDetached(
    program('console.log(Object.keys(process.env).join())', { env: { ONE: '1' }, logFile }),
  );
  await child.exited;
  assert.equal(await readFile(logFile, 'utf8'), 'ONE\n');
});

test('a piped standard input ends the child when it closes', async () => {
  const child = await spawnDetached(
    program("process.stdin.resume().on('end', () => process.exit(5))", { stdin: 'pipe' }),
  );
  child.stdin?.end();
  assert.deepEqual(await child.exited, { code: 5, signal: null });
});

test('an engine goes on, and goes on logging, when the worker that started it is killed', async (t) => {
  const logFile = join(folder, 'survivor.log');
  const child = program("let n = 0; setInterval(() => console.log('line', n++), 20)", { logFile });
  const starter = `
    import { spawnDetached } from ${JSON.stringify(new URL('./spawn-detached.ts', import.meta.url).href)};
    const { pid } = await spawnDetached(${JSON.stringify(child)});
    process.stdout.write(String(pid));
    setInterval(() => {}, 1000);`;
  const worker = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', starter], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(worker.stdout, 'data')) as [Buffer];
  const pid = Number(first.toString());
  t.after(() => killGroup(pid));
  worker.kill('SIGKILL');
  await once(worker, 'exit');

  const { size } = await stat(logFile);
  await eventually(
    () => 'another line in the log',
    async () => ((await stat(logFile)).size > size ? true : undefined),
  );
  assert.notEqual(await processStartTicks(pid), undefined);
});

for (const { code, prepare, said } of [
  { code: 'ENOENT', prepare: () => Promise.resolve('/no/such/engine'), said: /no such file or directory/ },
  { code: 'EACCES', prepare: () => Promise.resolve(folder), said: /permission denied/ },
  {
    code: 'ENOENT',
    prepare: async () => {
      const script = join(folder, 'orphaned-script');
      await writeFile(script, '#!/no/such/interpreter\n', { mode: 0o755 });
      return script;
    },
    said: /no such file or directory/,
  },
]) {
  test(`B-PRELOAD-036: what cannot be started fails with the system's reason (${code}, ${String(said)})`, async () => {
    const command = await prepare();
    await assert.rejects(spawnDetached(program('', { command })), (err) => {
      assert.ok(err instanceof SpawnError);
      assert.equal(err.code, code);
      assert.match(err.message, said);
      assert.ok(err.message.includes(command));
      return true;
    });
  });
}
