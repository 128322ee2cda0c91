import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { replicaFiles } from '../../activities/replica-files.js';
import { readSettings } from '../../contracts/settings.js';
import { eventually } from '../../testing/changes.js';
import { poolNode } from '../../testing/pool-node.js';
import { engineUser } from './engine-user.js';

function asked(env: Record<string, string>, uid: number) {
  const warned: unknown[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => warned.push(JSON.parse(line)) });
  return { user: engineUser(readSettings(env), log, uid), warned };
}

test('B-SEC-014: a node that is root warns that its engines are too, or refuses, as it was set', () => {
  const { user, warned } = asked({}, 0);
  assert.equal(user, null);
  const [line] = warned as { event: string; level: number; msg: string }[];
  assert.deepEqual([warned.length, line?.event, line?.level], [1, 'engines_run_as_root', 40]);
  assert.match(line?.msg ?? '', /set DROVER_NODE_ENGINE_USER/);
  const refusal = { name: 'StartError', message: /engines would run as root; set DROVER_NODE_ENGINE_USER/ };
  assert.throws(() => asked({ DROVER_NODE_ROOT_ENGINES: 'refuse' }, 0), refusal);
  const unprivileged = { DROVER_NODE_ROOT_ENGINES: 'refuse', DROVER_NODE_ENGINE_USER: '65534' };
  assert.deepEqual(asked(unprivileged, 0), { user: { uid: 65_534, gid: 65_534 }, warned: [] });
  assert.deepEqual(asked({ DROVER_NODE_ROOT_ENGINES: 'refuse' }, 1000), { user: null, warned: [] });
});

test('B-SEC-001: the user of the engines is nobody of privilege, and only root can choose one', () => {
  assert.deepEqual(asked({ DROVER_NODE_ENGINE_USER: '1000:44' }, 0).user, { uid: 1000, gid: 44 });
  assert.equal(asked({ DROVER_NODE_ENGINE_USER: '1000:44' }, 1000).user, null);
  assert.throws(() => asked({ DROVER_NODE_ENGINE_USER: '1001' }, 1000), /only root/);
  for (const wrong of ['0', '1000:0', 'root', '1000:', '-1'])
    assert.throws(() => readSettings({ DROVER_NODE_ENGINE_USER: wrong }), /DROVER_NODE_ENGINE_USER: must be/);
});

test('B-SEC-001, B-SEC-003: an engine has neither root nor any capability, and owns the folder it works in', async (t) => {
  const isRoot = process.getuid?.() === 0;
  const node = await poolNode(t, { engineUser: isRoot ? { uid: 65_534, gid: 65_533 } : null });
  const prepared = await node.prepared([], { binary_path: '/bin/sh', flags: ['-c', 'pwd >mine; sleep 60'] });
  const { pid } = await node.run('spawnEngine', prepared);
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.split('\t');
  const [uid, gid] = isRoot ? ['65534', '65533'] : [String(process.getuid?.()), String(process.getgid?.())];
  assert.deepEqual([field('Uid'), field('Gid')], [Array(4).fill(uid), Array(4).fill(gid)]);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
    assert.match(field(set)?.[0] ?? '', /^0+$/, set);
  if (isRoot) assert.deepEqual(field('Groups')?.join('').trim(), '');
  const mine = join(replicaFiles(node.deps.paths, prepared).workDir, 'mine');
  const owner = await eventually(
    () => 'a file of the engine',
    async () => (await stat(mine).catch(() => undefined))?.uid,
  );
  assert.equal(String(owner), uid);
});
