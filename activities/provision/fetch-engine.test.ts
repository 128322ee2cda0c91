import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { EngineOrder, EnginePlan } from '../../contracts/provisioning.js';
import { ENGINE, failureOf, make, NOTHING, sourceOrder, workshop } from '../../testing/engine-workshop.js';
import { ModelServer } from '../../testing/model-server.js';
import { runToEnd } from '../../testing/run-to-end.js';

test('every tool that is missing is named, not the first alone (B-PREFLIGHT-020)', async (t) => {
  const { node, belt } = await workshop(t, { alone: true });
  const order = sourceOrder('file:///srv/engine');
  const { message, nonRetryable } = await failureOf(node.run('planEngine', { ...order, backend: 'cuda' }));
  assert.match(message, /missing on the node: git, cmake, make, gcc, nvcc;/);
  assert.equal(nonRetryable, true);
  await belt.put('clang', NOTHING);
  await belt.put('git', NOTHING);
  assert.match((await failureOf(node.run('planEngine', order))).message, /missing on the node: cmake, make;/);
  const url = 'https://releases.test/engine.zip';
  const provisioning = { mode: 'binary' as const, url, sha256: '0'.repeat(64), program: 'engine' };
  assert.match(
    (await failureOf(node.run('planEngine', { ...order, provisioning }))).message,
    /missing on the node: unzip;/,
  );
});

test('tools are installed where the node may install packages, and else only reported (B-PREFLIGHT-021)', async (t) => {
  for (const mayInstall of [false, true]) {
    const { node, belt } = await workshop(t, { mayInstall, alone: true });
    for (const tool of ['git', 'make', 'gcc']) await belt.put(tool, NOTHING);
    await belt.put('apt-get', NOTHING);
    const order = sourceOrder('file:///srv/engine');
    if (!mayInstall) {
      const { message } = await failureOf(node.run('planEngine', order));
      assert.match(message, /missing on the node: cmake; .*DROVER_NODE_PACKAGE_INSTALL/);
      assert.deepEqual(await belt.calls('apt-get'), []);
      continue;
    }
    const { engine_id, steps } = await node.run('planEngine', order);
    assert.deepEqual(steps, ['package-install', 'git-clone', 'cmake-configure', 'cmake-build']);
    await node.run('takeEngineStep', { ...order, engine_id, step: 'package-install' });
    const [update = '', install = ''] = await belt.calls('apt-get');
    assert.match(update, / update$/);
    assert.match(install, / --yes --no-install-recommends install cmake$/);
    // What comes from NVIDIA is no package of the system's.
    const { message } = await failureOf(node.run('planEngine', { ...order, backend: 'cuda' }));
    assert.match(message, /missing on the node: cmake, nvcc;/);
  }
});

/** An archive with a program in it, served over HTTP. */
async function binaryWorkshop(t: TestContext) {
  const shop = await workshop(t);
  const { folder } = shop;
  await writeFile(join(folder, 'serve'), ENGINE);
  await runToEnd('tar', ['-czf', join(folder, 'engine.tar.gz'), '-C', folder, 'serve']);
  const archive = await readFile(join(folder, 'engine.tar.gz'));
  const server = await ModelServer.start();
  t.after(() => server.close());
  return { ...shop, server, archive };
}

function binaryOrder(url: string, bytes: Uint8Array, program?: string): EngineOrder {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const provisioning = {
    mode: 'binary' as const,
    url,
    sha256,
    ...(program === undefined ? {} : { program }),
  };
  return { pool_id: 'gpu-0', engine: 'llamacpp', backend: 'cpu', provisioning };
}

test('an engine is downloaded, as a program or in an archive, checked, and kept below the cache (B-PROV-004, B-PROV-010)', async (t) => {
  const { node, server, archive, cache } = await binaryWorkshop(t);
  server.put('/r/engine.tar.gz', archive);
  server.put('/r/engine', Buffer.from(ENGINE));
  for (const order of [
    binaryOrder(`${server.url}/r/engine.tar.gz`, archive, 'serve'),
    binaryOrder(`${server.url}/r/engine`, Buffer.from(ENGINE)),
  ]) {
    const made = await make(node, order);
    assert.equal(await runToEnd(made.path, []), 'an engine\n');
    assert.ok(made.path.startsWith(`${cache}/`));
    const asked = server.seen.length;
    assert.deepEqual(await make(node, order), made);
    assert.equal(server.seen.length, asked);
  }
  const wrong = binaryOrder(`${server.url}/r/engine`, Buffer.from('another engine'));
  const { message } = await failureOf(make(node, wrong));
  assert.match(message, /^download: engine has the SHA-256 [0-9a-f]{64}, and should have [0-9a-f]{64}$/);
  const plan: EnginePlan = await node.run('planEngine', wrong);
  assert.equal(plan.present, null);
  const none = await failureOf(make(node, binaryOrder(`${server.url}/r/none`, archive)));
  assert.equal(none.nonRetryable, true);
});

test('an engine that is a package is installed where that is allowed, and used where it is there (B-PROV-004, B-PREFLIGHT-021)', async (t) => {
  const provisioning = {
    mode: 'package' as const,
    package: 'tiny-engine',
    version: '1.2-1',
    program: 'tiny-engine',
  };
  const order: EngineOrder = { pool_id: 'gpu-0', engine: 'openai', backend: 'cpu', provisioning };
  for (const mayInstall of [false, true]) {
    const { node, belt, folder } = await workshop(t, { mayInstall });
    const database = join(folder, 'installed');
    await belt.put('dpkg-query', `cat ${database} 2>/dev/null`);
    const install = `case "$*" in *" install tiny-engine=1.2-1") printf 'installed 1.2-1' > ${database};; esac`;
    await belt.put('apt-get', install);
    if (!mayInstall) {
      const { message } = await failureOf(node.run('planEngine', order));
      assert.match(message, /package tiny-engine is not installed on the node, which may not install it/);
      assert.deepEqual(await belt.calls('apt-get'), []);
      continue;
    }
    await belt.put('tiny-engine', 'echo tiny');
    const made = await make(node, order);
    assert.equal(await runToEnd(made.path, []), 'tiny\n');
    const { present } = await node.run('planEngine', order);
    assert.deepEqual(present, made);
    assert.equal((await belt.calls('apt-get')).length, 2);
  }
});
