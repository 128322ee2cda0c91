/** Launch descriptions of the engines that the features run on. */
import { preparedEngine, type PreparedEngine } from '../../contracts/pool.js';
import { builtFakeEngine } from '../../testing/built-fake-engine.js';
import { freePort } from '../../testing/free-port.js';
import { PROGRAMS, TOOLS_TEMPLATE } from './places.js';

/** `embedded` is ours; `xllamacpp` is llama.cpp's own server as others package it. */
export type EngineName = 'embedded' | 'xllamacpp';

/** What a pool shall run. */
export interface EngineWish {
  engine: EngineName;
  modelPath: string;
  slots: number;
  /** Context of one slot, tokens. */
  ctx: number;
  /** True: the model's template knows tools, for an engine that can read calls out of an answer. */
  tools?: boolean;
  /** Program of `xllamacpp`. */
  xllamacpp: string | undefined;
}

/** A preload waits for an engine that loads in a second. */
export const PRELOAD_WAIT_MS = 60_000;

/** The pool that every stack has. */
export const POOL = 'default';

/** Describes the engine of the pool `default`, on a port that is free now. */
export async function prepareEngine(wish: EngineWish): Promise<PreparedEngine> {
  const port = await freePort();
  const { modelPath, slots, ctx, tools } = wish;
  const embedded = wish.engine === 'embedded';
  // llama-server wants to be told how to pool where the model does not say.
  const pooling = embedded ? [] : ['--pooling', 'last'];
  const flags = [
    ...['--model', modelPath, '--alias', 'demo', '--host', '127.0.0.1', '--port', String(port)],
    // One thread: those of llama.cpp spin, and starve one another on a machine that does other work.
    ...['--ctx-size', String(ctx * slots), '--parallel', String(slots), '--threads', '1', '--metrics'],
    '--embeddings',
    ...pooling,
    ...(tools === true ? ['--chat-template-file', TOOLS_TEMPLATE] : []),
  ];
  if (!embedded && wish.xllamacpp === undefined) throw new Error('DROVER_TEST_XLLAMACPP names no program');
  return preparedEngine.parse({
    pool_id: POOL,
    engine_version: `${wish.engine}-test`,
    provisioning_mode: embedded ? 'package' : 'binary',
    binary_path: embedded ? process.execPath : wish.xllamacpp,
    flags: embedded ? [PROGRAMS.embeddedEngine, ...flags] : flags,
    port,
    model_path: modelPath,
    model_ref: 'demo',
    model_name: 'demo',
    backend: 'cpu',
    slots_total: slots,
    ctx_max: ctx,
  });
}

/** An engine with bad manners, for preloads that must fail; `flags` say which. */
export async function prepareFakeEngine(
  modelPath: string,
  flags: readonly string[],
): Promise<PreparedEngine> {
  const port = await freePort();
  return preparedEngine.parse({
    pool_id: POOL,
    engine_version: 'fake-test',
    provisioning_mode: 'binary',
    binary_path: await builtFakeEngine(),
    flags: ['--model', modelPath, '--port', String(port), ...flags],
    port,
    model_path: modelPath,
    model_ref: 'demo',
    backend: 'cpu',
    slots_total: 1,
    ctx_max: 1024,
  });
}
