/** A node that makes engines, for tests of those activities: with tools of the test's own, and a repository. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { NodeActivityDeps } from '../activities/deps.js';
import type { EngineOrder } from '../contracts/provisioning.js';
import type { ProvidedEngine } from '../domain/engine-provision.js';
import { poolNode, type PoolNode } from './pool-node.js';
import { SCRIPTED_CMAKE, sourceRepository, toolBelt, type ToolBelt } from './tool-belt.js';

/** The program that is made. */
export const ENGINE = '#!/bin/sh\necho an engine\n';
/** A tool that does nothing. */
export const NOTHING = 'exit 0';

/** A node with tools of its own. */
export interface Workshop {
  node: PoolNode;
  belt: ToolBelt;
  folder: string;
  /** Where engines are kept. */
  cache: string;
}

/** A workshop that is gone when the test ends; `alone`: without the tools of the machine. */
export async function workshop(
  t: TestContext,
  { mayInstall = false, alone = false } = {},
  changes: Partial<NodeActivityDeps> = {},
): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-workshop-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const belt = await toolBelt(folder);
  const cache = join(folder, 'engines');
  const env = () => ({
    PATH: alone ? belt.alone : belt.path,
    DROVER_NODE_TOKEN: 'a secret',
    HOME: '/elsewhere',
  });
  const node = await poolNode(t, { engines: { dir: cache, mayInstall }, env, ...changes });
  return { node, belt, folder, cache };
}

/** A workshop with the tools that a build takes, and an engine's source. */
export async function sourceWorkshop(
  t: TestContext,
  files: Record<string, string> = {},
  changes: Partial<NodeActivityDeps> = {},
) {
  const shop = await workshop(t, {}, changes);
  for (const tool of ['make', 'gcc']) await shop.belt.put(tool, NOTHING);
  await shop.belt.put('cmake', SCRIPTED_CMAKE);
  const repository = await sourceRepository(shop.folder, { v1: { 'engine.sh': ENGINE, ...files } });
  return { ...shop, order: (changes = {}) => sourceOrder(repository, changes) };
}

/** An engine that is built from a repository, by default from `main`. */
export function sourceOrder(repository: string, changes = {}): EngineOrder {
  const provisioning = { mode: 'source' as const, repository, ref: 'main', build_flags: [], ...changes };
  return { pool_id: 'gpu-0', engine: 'llamacpp', backend: 'cpu', provisioning };
}

/** Makes an engine as a preload does. */
export async function make(node: PoolNode, order: EngineOrder): Promise<ProvidedEngine> {
  const { engine_id, present, steps } = await node.run('planEngine', order);
  if (present !== null) return present;
  for (const step of steps) await node.run('takeEngineStep', { ...order, engine_id, step });
  return node.run('recordEngine', { ...order, engine_id });
}

/** What the work fails with: a failure of provisioning. */
export async function failureOf(work: Promise<unknown>): Promise<ApplicationFailure> {
  const failure = await work.then(
    () => assert.fail('it should have failed'),
    (err: unknown) => err,
  );
  assert.ok(failure instanceof ApplicationFailure, String(failure));
  assert.equal(failure.type, 'ProvisionFailed');
  return failure;
}
