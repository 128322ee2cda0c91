import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { withoutAliases } from '../../contracts/setting-aliases.js';
import { readSettings } from '../../contracts/settings.js';
import { startOthersEngine, watchedFolder } from '../../testing/handoff-folder.js';
import { allowHosts } from './allowed-hosts.js';
import { createAnnounceEngine } from './announce-engine.js';
import { bindNamedEngine } from './bind-named-engine.js';

test('B-CFG-003, B-CFG-004, B-CFG-005, B-CFG-020: a running llama-server is bound where its URL is set, as r0 of default or as it is named', async (t) => {
  const { node, watch, status, folder } = await watchedFolder(t);
  const { paths, log } = node.deps;
  const announceEngine = createAnnounceEngine({
    paths,
    pools: node.pools,
    handoffs: watch,
    hostProblem: allowHosts([]),
  });
  const bind = (env: Record<string, string>) =>
    bindNamedEngine(readSettings(withoutAliases(env)), { announceEngine, paths, log });
  await bind({});
  await bind({ ORCHD_LLAMACPP_POOL: 'own', ORCHD_LLAMACPP_REPLICA: 'r7' });
  assert.deepEqual([existsSync(folder) ? await readdir(folder) : [], [...node.pools.all()]], [[], []]);

  const { url } = await startOthersEngine(t);
  const withdraw = await bind({ ORCHD_LLAMACPP_URL: url });
  assert.equal(status('default')?.ready, true);
  assert.equal(node.pools.running('default', 'r0')?.url, url);
  await withdraw();
  assert.deepEqual(await readdir(folder), []);

  const named = { DROVER_LLAMACPP_POOL: 'own', DROVER_LLAMACPP_REPLICA: 'r7' };
  await bind({ DROVER_LLAMACPP_URL: url, ...named });
  assert.equal(node.pools.running('own', 'r7')?.url, url);
  await assert.rejects(bind({ DROVER_LLAMACPP_URL: 'http://192.0.2.1:9', ...named }), {
    name: 'StartError',
    message: /^DROVER_LLAMACPP_URL: /,
  });
});
