import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RemoteStep } from '../../domain/install.js';
import { eventually } from '../../testing/changes.js';
import { GitOrigin } from '../../testing/git-origin.js';
import { isAlive } from '../../testing/processes.js';
import { SshServer, sshServerProgram } from '../../testing/ssh-server.js';
import { sshTransport, type RemoteOutcome } from './ssh-transport.js';

const skip = sshServerProgram === undefined ? 'without an SSH server' : false;
const LIMIT_MS = 60_000;
/** Says what it was started with, and stays until it is told to end. */
const program = (version: string) =>
  `console.log(JSON.stringify({ version: '${version}', id: process.env.DROVER_NODE_ID, token: process.env.DROVER_NODE_TOKEN_FILE, args: process.argv.slice(2) }));
setInterval(() => undefined, 1000);
`;

let server: SshServer;
let origin: GitOrigin;
let base: string;
before(async () => {
  if (skip) return;
  const PATH = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  base = mkdtempSync(join(tmpdir(), 'drover-installed-'));
  [server, origin] = await Promise.all([
    SshServer.start([`SetEnv PATH=${PATH}`]),
    GitOrigin.start({ program: program('1'), version: '1.0.0' }),
  ]);
});
after(async () => {
  if (skip) return;
  await Promise.all([server.stop(), origin.stop()]);
  rmSync(base, { recursive: true, force: true });
});

function carryOut(folder: string, step: RemoteStep, ...values: string[]): Promise<RemoteOutcome> {
  const transport = sshTransport({ knownHosts: server.knownHosts(), visitLimitMs: LIMIT_MS });
  const target = { ...server.place, install_path: folder };
  return transport.carryOut(target, { step, values, limitMs: LIMIT_MS }, new AbortController().signal);
}

async function done(...order: Parameters<typeof carryOut>): Promise<Readonly<Record<string, string>>> {
  const { facts, end, lines } = await carryOut(...order);
  assert.deepEqual([end.exitCode, facts['begun']], [0, 'yes'], lines.join('\n'));
  return facts;
}

async function problemOf(...order: Parameters<typeof carryOut>): Promise<string | undefined> {
  const { facts, end } = await carryOut(...order);
  assert.equal(end.exitCode, 1);
  return facts['problem'];
}

const pidIn = (folder: string) => Number(readFileSync(join(folder, '.runtime', 'node.pid'), 'utf8'));

test(
  'B-SSH-009: a node worker is fetched, built, verified, told its settings and started; again it is kept, and exchanged for a newer one',
  { skip },
  async (t) => {
    const folder = join(base, 'drover');
    assert.match((await done(folder, 'tools'))['node'] ?? '', /^v\d+/);
    const { commit } = await done(folder, 'fetch', origin.url, 'main');
    assert.match(commit ?? '', /^[0-9a-f]{40}$/);
    await done(folder, 'build');
    assert.equal((await done(folder, 'verify'))['version'], '1.0.0');
    const settings = ['the-token', 'k:the-key', 'DROVER_NODE_ID=gpu-1', ''];
    await done(folder, 'configure', ...settings);
    const modes = ['node-token', 'payload-keys', 'node.env'].map(
      (name) => statSync(join(folder, '.runtime', name)).mode & 0o777,
    );
    assert.deepEqual(modes, [0o600, 0o600, 0o600]);
    assert.equal((await done(folder, 'start'))['worker'], 'started');
    const first = pidIn(folder);
    t.after(() => process.kill(pidIn(folder), 'SIGKILL'));
    const logged = await eventually(
      () => 'the log of the node worker',
      async () => (await carryOut(folder, 'log')).lines.find((line) => line.startsWith('{')),
    );
    const token = join(folder, '.runtime', 'node-token');
    assert.deepEqual(JSON.parse(logged), { version: '1', id: 'gpu-1', token, args: [] });
    assert.equal(readFileSync(token, 'utf8'), 'the-token\n');
    assert.doesNotMatch(readFileSync(`/proc/${first}/cmdline`, 'utf8'), /the-token|the-key/);

    await done(folder, 'configure', ...settings);
    assert.equal((await done(folder, 'start'))['worker'], 'kept');
    assert.deepEqual([pidIn(folder), isAlive(first)], [first, true]);
    const newer = await origin.commit({ program: program('2'), version: '1.0.1' });
    assert.equal((await done(folder, 'fetch', origin.url, 'main'))['commit'], newer);
    await done(folder, 'build');
    assert.equal((await done(folder, 'start'))['worker'], 'started');
    assert.notEqual(pidIn(folder), first);
    assert.equal(isAlive(first), false);
  },
);

test('B-SSH-009: what stands in the way is told by name, and left as it is', { skip }, async () => {
  const occupied = mkdtempSync(join(base, 'occupied-'));
  writeFileSync(join(occupied, 'mine'), 'mine');
  assert.equal(await problemOf(occupied, 'fetch', origin.url, 'main'), 'occupied');
  assert.equal(readFileSync(join(occupied, 'mine'), 'utf8'), 'mine');
  const folder = join(base, 'changed');
  assert.equal(await problemOf(folder, 'fetch', origin.url, 'no-such-branch'), 'clone');
  await done(folder, 'fetch', origin.url, 'main');
  assert.equal(await problemOf(folder, 'verify'), 'no_program');
  writeFileSync(join(folder, 'program.js'), 'my own');
  assert.equal(await problemOf(folder, 'fetch', origin.url, 'main'), 'changed');
  assert.equal(readFileSync(join(folder, 'program.js'), 'utf8'), 'my own');
  mkdirSync(join(folder, '.runtime', 'node-token.new'), { recursive: true });
  assert.equal(await problemOf(folder, 'configure', 'the-token', 'k', ''), 'settings');
  assert.equal(await problemOf('/proc/nowhere', 'fetch', origin.url, 'main'), 'no_folder');
});

test('B-SSH-008: what a script is told is a value to it, whatever it looks like', { skip }, async () => {
  const folder = join(base, 'quoted');
  const planted = join(base, 'planted');
  for (const value of [`$(touch ${planted})`, `"; touch ${planted}; "`, `--upload-pack=touch ${planted}`])
    assert.equal(await problemOf(folder, 'fetch', value, 'main'), 'clone');
  await done(folder, 'fetch', origin.url, 'main');
  await done(folder, 'configure', `$(touch ${planted})`, 'k', `A=$(touch ${planted})`, '');
  assert.equal(readFileSync(join(folder, '.runtime', 'node-token'), 'utf8'), `$(touch ${planted})\n`);
  assert.equal(existsSync(planted), false);
  await assert.rejects(carryOut(folder, 'configure', 'two\nlines', 'k', ''), { name: 'UnsafeArgumentError' });
});

test('a step that is broken off ends on the node, too', { skip }, async () => {
  const slow = `import { writeFileSync } from 'node:fs';\nwriteFileSync('building', String(process.pid));\nsetInterval(() => undefined, 1000);\n`;
  const folder = join(base, 'broken-off');
  await done(folder, 'fetch', origin.url, 'main');
  writeFileSync(join(folder, 'build.mjs'), slow);
  const transport = sshTransport({ knownHosts: server.knownHosts(), visitLimitMs: LIMIT_MS });
  const stop = new AbortController();
  const order = { step: 'build', values: [], limitMs: LIMIT_MS } as const;
  const ended = transport.carryOut({ ...server.place, install_path: folder }, order, stop.signal);
  const file = join(folder, 'building');
  const pid = await eventually(
    () => 'the build to begin',
    () => Promise.resolve(existsSync(file) ? Number(readFileSync(file, 'utf8')) || undefined : undefined),
  );
  stop.abort();
  await ended;
  await eventually(
    () => 'the build to end',
    () => Promise.resolve(isAlive(pid) ? undefined : true),
  );
});
