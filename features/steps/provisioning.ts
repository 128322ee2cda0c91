/** Engines that are built before they are started. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { operation } from '../../contracts/operation.js';
import { poolHealth } from '../../contracts/pool.js';
import { eventually } from '../../testing/changes.js';
import { sourceRepository } from '../../testing/tool-belt.js';
import { POOL, PRELOAD_WAIT_MS } from '../support/engines.js';
import { PROGRAMS } from '../support/places.js';
import { PRELOAD_PATH } from '../support/stack.js';
import type { DroverWorld } from '../support/world.js';

/** What the scenario has of its source, and what it saw of its pool. */
interface SourceWorld extends DroverWorld {
  repository: string;
  seen: Map<string, SeenState[]>;
}

interface SeenState {
  state: string;
  ready: boolean;
}

/** Long enough for a compiler on a busy machine. */
const BUILD_LIMIT_MS = 120_000;

/** The embedded engine, started by a program that has to be compiled. */
const PROGRAM = `#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  char **args = calloc(argc + 2, sizeof(char *));
  args[0] = NODE;
  args[1] = MAIN;
  for (int at = 1; at < argc; at++) args[at + 1] = argv[at];
  execv(NODE, args);
  return 127;
}
`;
const PROJECT = `cmake_minimum_required(VERSION 3.13)
project(engine C)
add_executable(llama-server main.c)
set_target_properties(llama-server PROPERTIES RUNTIME_OUTPUT_DIRECTORY bin)
target_compile_definitions(llama-server PRIVATE NODE="\${NODE}" MAIN="\${MAIN}")
`;
const COMPLAINT = 'this engine is not finished';

Given(
  'a repository has an engine at {string}, and one that does not compile at {string}',
  async function (this: SourceWorld, whole: string, broken: string) {
    this.repository = await sourceRepository(this.stack.stateDir, {
      [broken]: { 'CMakeLists.txt': PROJECT, 'main.c': `#error ${COMPLAINT}\n` },
      [whole]: { 'main.c': PROGRAM },
    });
  },
);

async function launchAt({ stack, repository }: SourceWorld, ref: string, model_ref: string) {
  const { flags, model_path, ...prepared } = await stack.prepareEngine();
  const build_flags = [`-DNODE=${process.execPath}`, `-DMAIN=${PROGRAMS.embeddedEngine}`];
  return {
    ...prepared,
    ...{ model_ref, model_path: '{model_path}', engine_version: 'unknown' },
    ...{ provisioning_mode: 'source', binary_path: '{engine_path}' },
    provisioning: { mode: 'source', repository, ref, build_flags },
    flags: flags.slice(1).map((flag) => (flag === model_path ? '{model_path}' : flag)),
  };
}

When(
  'the pool is preloaded with the engine at {string} and the model {string}',
  async function (this: SourceWorld, ref: string, modelRef: string) {
    const prepared = await launchAt(this, ref, modelRef);
    await this.http.send('POST', PRELOAD_PATH, { body: { prepared, wait_ms: PRELOAD_WAIT_MS } });
  },
);

When(
  'the pool(s) {names} is/are preloaded at once with the engine at {string} and the model {string}',
  async function (this: SourceWorld, pools: string[], ref: string, modelRef: string) {
    await Promise.all(
      pools.map(async (pool_id) => {
        const prepared = { ...(await launchAt(this, ref, modelRef)), pool_id };
        const body = { prepared, wait_ms: 0 };
        const answer = await this.client.request('POST', `/v2/pools/${pool_id}/preload`, { body });
        assert.equal(answer.status, 202, answer.text);
      }),
    );
    this.seen = new Map(
      await Promise.all(pools.map(async (pool) => [pool, await lifeOf(this, pool)] as const)),
    );
  },
);

/** The states through which a pool goes until it serves. */
async function lifeOf({ client }: SourceWorld, pool: string): Promise<SeenState[]> {
  const seen: SeenState[] = [];
  await eventually(
    () => `the pool ${pool} to serve; it was ${JSON.stringify(seen)}`,
    async () => {
      const { status, json } = await client.request('GET', `/v2/pools/${pool}/health`);
      if (status === 404) return undefined; // Nothing has been done to it yet.
      const { state, ready } = poolHealth.parse(json);
      if (seen.at(-1)?.state !== state) seen.push({ state, ready });
      return ready ? true : undefined;
    },
    BUILD_LIMIT_MS,
  );
  return seen;
}

Then(
  'the preload is refused with {string} and what the compiler said',
  function (this: SourceWorld, message: string) {
    const { status, json } = this.http.lookAt();
    const { code, message: said } = json as { code: string; message: string };
    assert.deepEqual([status, code], [500, 'PRELOAD_FAILED']);
    assert.ok(said.includes(message) && said.includes(COMPLAINT), said);
  },
);

Then(
  'each was seen as {string}, not ready, before it served {string}',
  async function (this: SourceWorld, state: string, modelRef: string) {
    for (const [pool, seen] of this.seen) {
      const then = seen.find((moment) => moment.state === state);
      assert.deepEqual(then, { state, ready: false }, pool);
      const { json } = await this.client.request('GET', `/v2/pools/${pool}/health`);
      const { model_ref, ready } = poolHealth.parse(json);
      assert.deepEqual([model_ref, ready], [modelRef, true]);
    }
  },
);

Then('the steps of the preload were {names}', async function (this: SourceWorld, steps: string[]) {
  const { json } = await this.client.request('GET', `/v2/operations/pool:${POOL}:preload`);
  assert.deepEqual(
    operation.parse(json).steps.map(({ step }) => step),
    steps,
  );
});

Then('all have one engine, {string}, as it was built', async function (this: SourceWorld, version: string) {
  const engines = new Set<string>();
  for (const pool of this.seen.keys()) {
    const { json } = await this.client.request('GET', `/v2/pools/${pool}/health`);
    const { engine_version, engine_catalog_id, engine_digest } = poolHealth.parse(json);
    assert.equal(engine_version, version);
    assert.match(engine_digest ?? '', /^sha256:[0-9a-f]{64}$/);
    engines.add(`${engine_catalog_id} ${engine_digest}`);
  }
  assert.equal(engines.size, 1);
});
