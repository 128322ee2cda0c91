/** Engines that are built before they are started. */
import { Given, Then, When } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { operation } from '../../contracts/operation.js';
import { poolHealth } from '../../contracts/pool.js';
import { ENGINE_PLACE } from '../../domain/engine-provision.js';
import { eventually } from '../../testing/changes.js';
import { sourceRepository } from '../../testing/tool-belt.js';
import { POOL, PRELOAD_WAIT_MS } from '../support/engines.js';
import { PROGRAMS } from '../support/places.js';
import { PRELOAD_PATH } from '../support/stack.js';
import type { DroverWorld } from '../support/world.js';

/** What the scenario has of its source, and what it saw of its pool. */
interface SourceWorld extends DroverWorld {
  repository: string;
  seen: { state: string; ready: boolean }[];
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
    ...{ provisioning_mode: 'source', binary_path: ENGINE_PLACE },
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
  'the pool is preloaded with the engine at {string} and the model {string}, and somebody watches',
  async function (this: SourceWorld, ref: string, modelRef: string) {
    const prepared = await launchAt(this, ref, modelRef);
    const answer = await this.http.send('POST', PRELOAD_PATH, { body: { prepared, wait_ms: 0 } });
    assert.equal(answer.status, 202, answer.text);
    this.seen = [];
    await eventually(
      () => `the pool to serve; it was ${JSON.stringify(this.seen.at(-1))}`,
      async () => {
        const { json } = await this.client.request('GET', `/v2/pools/${POOL}/health`);
        const { state, ready } = poolHealth.parse(json);
        if (this.seen.at(-1)?.state !== state) this.seen.push({ state, ready });
        return state === 'ready' ? true : undefined;
      },
      BUILD_LIMIT_MS,
    );
  },
);

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
  'it was seen as {string}, not ready, before it served {string}',
  async function (this: SourceWorld, state: string, modelRef: string) {
    assert.deepEqual(
      this.seen.find((seen) => seen.state === state),
      { state, ready: false },
    );
    const { json } = await this.client.request('GET', `/v2/pools/${POOL}/health`);
    const { model_ref, ready } = poolHealth.parse(json);
    assert.deepEqual([model_ref, ready], [modelRef, true]);
  },
);

Then('the steps of the preload were {names}', async function (this: SourceWorld, steps: string[]) {
  const { json } = await this.client.request('GET', `/v2/operations/pool:${POOL}:preload`);
  assert.deepEqual(
    operation.parse(json).steps.map(({ step }) => step),
    steps,
  );
});

Then('its engine is {string}, as it was built', async function (this: SourceWorld, version: string) {
  const { json } = await this.client.request('GET', `/v2/pools/${POOL}/health`);
  const { engine_version, engine_catalog_id, engine_digest } = poolHealth.parse(json);
  assert.equal(engine_version, version);
  assert.match(engine_catalog_id ?? '', /^llamacpp-source-[0-9a-f]{16}$/);
  assert.match(engine_digest ?? '', /^sha256:[0-9a-f]{64}$/);
});
