import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRequest } from '../contracts/registered-node.js';
import { onEachDatabase } from '../testing/databases.js';
import { createNodes } from './nodes.js';
import { openStore } from './open-store.js';

const request = (node_name: string) =>
  nodeRequest.parse({
    ...{ node_name, ssh_host: 'gpu-1.lab', ssh_user: 'ops', ssh_key_path: '~/.ssh/id_ed25519' },
    ...{ git_repo_url: 'https://git.example/drover.git', install_path: '/opt/drover' },
    ...{ backends: ['cuda', 'cpu'], devices: { cuda: [0, 1], cpu: 1 } },
  });

onEachDatabase((newDatabase) => {
  test('B-NODE-001, B-NODE-016: a node outlives the process: reachable, contacted now, port 22 and branch "main"', async () => {
    const options = newDatabase();
    const first = await openStore(options);
    const added = await createNodes({ db: first.db, now: () => 1_700_000_000_999 }).add(request('a'));
    await first.close();
    const second = await openStore(options);
    const nodes = createNodes({ db: second.db, now: () => 2_000 });
    assert.deepEqual(added, {
      ...request('a'),
      ...{ ssh_port: 22, git_branch: 'main', status: 'reachable', last_connected_unix: 1_700_000_000 },
    });
    assert.deepEqual(await nodes.get('a'), added);
    await second.close();
  });

  test('B-NODE-006, C-161: a name that is registered is not added again, and the old record stays as it was', async () => {
    const { db, close } = await openStore(newDatabase());
    const nodes = createNodes({ db, now: () => 1_000 });
    const before = await nodes.add(request('a'));
    assert.equal(await nodes.add({ ...request('a'), ssh_host: 'elsewhere' }), undefined);
    assert.deepEqual(await nodes.list(), [before]);
    await close();
  });

  test('B-NODE-007, B-NODE-008: nodes are listed by name; one that is removed is gone, once', async () => {
    const { db, close } = await openStore(newDatabase());
    const nodes = createNodes({ db, now: () => 1_000 });
    for (const name of ['b', 'a-1', 'B', 'a']) await nodes.add(request(name));
    const names = async () => (await nodes.list()).map(({ node_name }) => node_name);
    assert.deepEqual(await names(), ['B', 'a', 'a-1', 'b']);
    assert.deepEqual([await nodes.remove('a'), await nodes.remove('a')], [true, false]);
    assert.deepEqual([await names(), await nodes.get('a')], [['B', 'a-1', 'b'], undefined]);
    await close();
  });

  test('a change touches what is given and nothing else; no change is none', async () => {
    const { db, close } = await openStore(newDatabase());
    const nodes = createNodes({ db, now: () => 1_000 });
    const before = await nodes.add(request('a'));
    await nodes.add(request('b'));
    const changed = await nodes.update('a', {
      ssh_port: 2222,
      backends: ['cpu'],
      devices: {},
      status: 'unknown',
    });
    const expected = { ...before, ssh_port: 2222, backends: ['cpu'], devices: {}, status: 'unknown' };
    assert.deepEqual([changed, await nodes.get('a')], [expected, expected]);
    assert.deepEqual(await nodes.update('a', {}), expected);
    assert.equal((await nodes.get('b'))?.ssh_port, 22);
    assert.equal(await nodes.update('nobody', { ssh_port: 1 }), undefined);
    await close();
  });

  test('B-NODE-015: every contact that succeeds is noted with its time; one that fails leaves the time and says offline', async () => {
    const { db, close } = await openStore(newDatabase());
    let seconds = 5;
    const nodes = createNodes({ db, now: () => seconds * 1_000 });
    await nodes.add(request('a'));
    const noted = async (reached: boolean) => {
      seconds += 10;
      const node = await nodes.contacted('a', reached);
      return [node?.status, node?.last_connected_unix];
    };
    assert.deepEqual(await noted(false), ['offline', 5]);
    assert.deepEqual(await noted(true), ['reachable', 25]);
    assert.equal(await nodes.contacted('nobody', true), undefined);
    await close();
  });
});
