/** Whatever stands in a file of the node's state folder, a worker starts: what cannot be read is set aside with a line in the log. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { replicaFiles } from '../../activities/replica-files.js';
import { watchedFolder, startOthersEngine } from '../../testing/handoff-folder.js';
import { poolNode } from '../../testing/pool-node.js';
import { nodeOnDisk } from '../../testing/test-node.js';
import { adoptEngines } from './adopt-engines.js';
import { recallPools } from './known-pools.js';

const DAMAGE: readonly [string, string | Buffer][] = [
  ['nothing', ''],
  ['half of it', '[{"pid": 12'],
  ['something else', 'null'],
  ['other fields', '{"pid": 1}'],
  ['bytes', Buffer.from([0, 255, 254, 1, 0, 13, 10, 7])],
];
const KEY = { pool_id: 'gpu-0', replica_id: 'r0' };
const folder = mkdtempSync(join(tmpdir(), 'drover-damage-'));
after(() => rmSync(folder, { recursive: true }));

for (const [what, content] of DAMAGE) {
  test(`a worker starts where a spawn record, a PID file, a drain mark or the list of pools holds ${what}`, async (t) => {
    const node = await poolNode(t);
    const { paths, log } = node.deps;
    const files = replicaFiles(paths, KEY);
    const list = join(paths.runtimeDir, 'pools.json');
    mkdirSync(paths.runtimeDir, { recursive: true });
    const mark = join(paths.runtimeDir, 'gpu-0.draining.json');
    for (const path of [files.spawnRecord, files.pidFile, list, mark]) writeFileSync(path, content);
    recallPools(paths, node.pools, log);
    await adoptEngines(node.deps, node.pools, log);
    assert.deepEqual(
      [files.spawnRecord, list].map((path) => [existsSync(path), existsSync(`${path}.unreadable`)]),
      [
        [false, true],
        [false, true],
      ],
    );
    const events = node.logged.map(({ event }) => event);
    assert.ok(events.includes('spawn_record_unreadable') && events.includes('pools_unreadable'));

    const stopped = await node.run('stopEngine', { ...KEY, reason: 'test', if_missing: 'fail' });
    assert.deepEqual(stopped, { outcome: 'already_stopped', pid: null });
    assert.ok(existsSync(`${files.pidFile}.unreadable`));
    assert.ok(
      node.logged.some(({ event, path }) => event === 'pid_file_unreadable' && path === files.pidFile),
    );
  });

  test(`a worker starts where a run log holds ${what}, which is set aside unless it is empty`, async (t) => {
    const runsDir = mkdtempSync(join(folder, 'runs-'));
    writeFileSync(join(runsDir, 'run-torn.log'), content);
    const node = await nodeOnDisk({ runsDir });
    t.after(() => node.close());
    assert.deepEqual(readdirSync(runsDir), content.length === 0 ? [] : ['run-torn.log.unreadable']);
    assert.equal(node.runs.view('torn'), undefined);
  });

  test(`a handoff that holds ${what} is passed over, and the next one bound`, async (t) => {
    const { announce, scan, status, skipped } = await watchedFolder(t);
    const { url } = await startOthersEngine(t);
    await announce('a.json', content.toString('latin1'));
    await announce('b.json', { url, ...KEY });
    await scan();
    assert.deepEqual([skipped().map(({ file }) => file), status()?.ready], [['a.json'], true]);
  });
}

test('an engine whose spawn record is damaged serves on, as its handoff tells', async (t) => {
  const { node, announce, scan, status } = await watchedFolder(t);
  const { url } = await startOthersEngine(t);
  await announce('gpu-0-r0.json', { url, ...KEY });
  const { spawnRecord } = replicaFiles(node.deps.paths, KEY);
  mkdirSync(node.deps.paths.runtimeDir, { recursive: true });
  writeFileSync(spawnRecord, '{"pid": 12');
  await adoptEngines(node.deps, node.pools, pino({ level: 'silent' }));
  await scan();
  assert.equal(status()?.ready, true);
});
