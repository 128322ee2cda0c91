import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { Scores, Vectors } from '../../activities/engine/adapters/vectors.js';
import { DroverError } from '../../contracts/errors.js';
import type { RunOffer, TaskInput } from '../../contracts/node.js';
import { decodeVector } from '../../contracts/vector.js';
import { ManualEngine, nodesOfTests, offerOf, type TestNode } from '../../testing/test-node.js';
import { learnWorkloads } from './learn-workloads.js';
import { ENGINE_CIRCUIT } from './engine-circuits.js';

const aNode = nodesOfTests();

/** What the engine does when it is asked for a batch. */
type Deed = 'answers' | 'dies' | 'hangs' | 'refuses';

/** An engine whose vector of the text `7` is `[7, 0.5]`, which reads two tokens an input. */
class InputsEngine extends ManualEngine {
  readonly batches: number[] = [];
  constructor(readonly deeds: Deed[] = []) {
    super();
  }

  embed = async ({ inputs }: { inputs: readonly unknown[] }, signal: AbortSignal): Promise<Vectors> => {
    await this.work(inputs.length, signal);
    const vectors = inputs.map((input) => Float32Array.of(Number(input), 0.5));
    return { vectors, tokensIn: 2 * inputs.length };
  };

  rerank = async ({ documents }: { documents: readonly string[] }, signal: AbortSignal): Promise<Scores> => {
    await this.work(documents.length, signal);
    return { scores: documents.map((text) => -Number(text)), tokensIn: 2 * documents.length };
  };

  private async work(size: number, signal: AbortSignal): Promise<void> {
    this.batches.push(size);
    const deed = this.deeds.shift() ?? 'answers';
    if (deed === 'dies') throw new DroverError('WORKER_RESET', 'the connection to the engine was lost');
    if (deed === 'refuses') throw new DroverError('INVALID_PARAMS', 'an input does not fit');
    if (deed !== 'hangs') return;
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(new Error('aborted'));
      });
    });
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index));
const ofInput = (id: string, input: TaskInput, over: Partial<RunOffer> = {}): RunOffer => {
  const workload = input.kind === 'rerank' ? 'rerank' : 'embedding';
  return { ...offerOf(id, { request: { workload } }), input, fit_context: true, ...over };
};
const embedding = (inputs: (string | number[])[]): TaskInput => ({ kind: 'embedding', inputs });
const start = (engine: ManualEngine, more = {}) => aNode({ adapterOf: () => engine, ...more });
const endOf = ({ runs }: TestNode, id = 'a') => runs.waitForEnd(id, AbortSignal.timeout(5_000));
const framesOf = ({ runs }: TestNode, id = 'a') => runs.mustGet(id).framesFrom(0);

/** Each input's number, and the first number of its vector. */
const vectorsOf = (node: TestNode) =>
  framesOf(node).flatMap((frame) =>
    frame.type === 'token' ? [[frame.data.i, decodeVector(frame.data.embedding ?? '')[0]]] : [],
  );
const eachOnce = (count: number) => numbers(count).map((text) => [Number(text), Number(text)]);

test('B-DP-123, B-DP-124: inputs are answered in their order, batch after batch, one token frame each', async () => {
  const engine = new InputsEngine();
  const node = await start(engine);
  await node.runs.attach(ofInput('a', embedding(numbers(70))));
  const view = await endOf(node);
  assert.deepEqual(engine.batches, [32, 32, 6]);
  assert.deepEqual(vectorsOf(node), eachOnce(70));
  const types = framesOf(node).map(({ type }) => type);
  assert.deepEqual(
    [types[0], types.at(-1), types.filter((type) => type === 'end').length],
    ['started', 'end', 1],
  );
  assert.ok(types.includes('metrics'));
  assert.deepEqual(
    [view.state, view.stop_reason, view.tokens_in, view.tokens_out],
    ['completed', 'EOS', 140, 0],
  );
  const end = framesOf(node).at(-1);
  assert.ok(end?.type === 'end');
  assert.deepEqual([end.data.tokens_in, end.data.tokens_out], [140, 0]);
  const token = framesOf(node).find(({ type }) => type === 'token');
  assert.ok(token?.type === 'token');
  assert.deepEqual([token.data.t, token.data.tokens_in, token.data.relevance_score], ['', 64, undefined]);
});

test('long inputs go in smaller batches, and one that is longer than a batch goes alone', async () => {
  const engine = new InputsEngine();
  const node = await start(engine);
  const long = '1'.repeat(20_000);
  const ids = Array<number>(9_000).fill(1);
  await node.runs.attach(ofInput('a', embedding([long, '1', long, ids, '2'])));
  await endOf(node);
  assert.deepEqual(engine.batches, [2, 1, 1, 1]);
});

test('documents are answered with scores, of the query that all of them have', async () => {
  const engine = new InputsEngine();
  const node = await start(engine);
  await node.runs.attach(ofInput('a', { kind: 'rerank', query: 'q', documents: numbers(33) }));
  const view = await endOf(node);
  const scores = framesOf(node).flatMap((frame) =>
    frame.type === 'token' ? [frame.data.relevance_score] : [],
  );
  assert.deepEqual(
    scores,
    numbers(33).map((text) => -Number(text)),
  );
  assert.deepEqual([engine.batches, view.tokens_in], [[32, 1], 66]);
});

test('B-DUR-003: a run whose engine dies goes on with the first input that has no frame', async () => {
  const engine = new InputsEngine(['answers', 'dies', 'answers']);
  const node = await start(engine);
  await node.runs.attach(ofInput('a', embedding(numbers(70))));
  const view = await endOf(node);
  assert.deepEqual(engine.batches, [32, 32, 32, 6]);
  assert.deepEqual(vectorsOf(node), eachOnce(70));
  assert.deepEqual([view.state, view.tokens_in], ['completed', 140]);
  assert.equal(framesOf(node).filter(({ type }) => type === 'started').length, 1);
});

test('a batch that every engine dies of ends its task, and one before it that brought frames does not count', async () => {
  const engine = new InputsEngine(['dies', 'dies', 'answers', 'dies', 'dies', 'dies', 'dies']);
  // Seven failures would leave it alone for a while, which is another test's.
  const node = await start(engine, { engineCircuit: { ...ENGINE_CIRCUIT, circuit_threshold: 10 } });
  await node.runs.attach(ofInput('a', embedding(numbers(64))));
  const view = await endOf(node);
  assert.deepEqual([view.state, view.error?.code], ['failed', 'WORKER_RESET']);
  assert.deepEqual(vectorsOf(node), eachOnce(32));
  assert.equal(engine.batches.length, 7);
});

test('B-DUR-003: the next worker goes on with the inputs that have no frame, and knows what was read', async () => {
  const before = await start(new InputsEngine(['answers', 'hangs']));
  await before.runs.attach(ofInput('a', embedding(numbers(40))));
  const begun = before.runs.mustGet('a');
  while (begun.tokenIndex < 32) await new Promise((resolve) => setTimeout(resolve, 5));
  await before.crash();
  const engine = new InputsEngine();
  const after = await start(engine, { runsDir: before.runsDir });
  const view = await endOf(after);
  assert.deepEqual(engine.batches, [8]);
  assert.deepEqual(vectorsOf(after), eachOnce(40));
  assert.deepEqual([view.state, view.tokens_in], ['completed', 80]);
});

test('vectors of two models are never mixed: the run ends when its pool has another one', async () => {
  const node = await start(new InputsEngine(['answers', 'dies']), {
    lookAtEngine: () => {
      const engine = node.pools.running('default', 'r0');
      assert.ok(engine !== undefined);
      node.pools.ready({ ...engine, pid: 2, prepared: { ...engine.prepared, model_path: '/other.gguf' } });
      return Promise.resolve();
    },
  });
  await node.runs.attach(ofInput('a', embedding(numbers(40))));
  const view = await endOf(node);
  assert.deepEqual([view.state, view.error?.code], ['failed', 'WORKER_RESET']);
  assert.deepEqual(vectorsOf(node), eachOnce(32));
});

test('B-DP-131, B-DP-133: a cancel in the midst of a batch frees the slot and ends with one error', async () => {
  const node = await start(new InputsEngine(['answers', 'hangs']));
  await node.runs.attach(ofInput('a', embedding(numbers(64))));
  const run = node.runs.mustGet('a');
  while (run.tokenIndex < 32) await new Promise((resolve) => setTimeout(resolve, 5));
  const view = await node.runs.cancel('a', 'client');
  assert.deepEqual([view.state, view.error?.code], ['cancelled', 'CANCELLED']);
  assert.equal(node.pools.get('default')?.scheduler.activeLeases, 0);
  assert.equal(framesOf(node).at(-1)?.type, 'error');
});

test('what the engine refuses ends the task as the client may read it, and is not tried again', async () => {
  const engine = new InputsEngine(['refuses']);
  const node = await start(engine);
  await node.runs.attach(ofInput('a', embedding(['1'])));
  const view = await endOf(node);
  assert.deepEqual(
    [view.state, view.error?.code, view.error?.retriable],
    ['failed', 'INVALID_PARAMS', false],
  );
  assert.equal(engine.batches.length, 1);
});

test('B-DP-094: what is left of the budgets counts what was read', async () => {
  const node = await start(new InputsEngine());
  const had = { tokens_budget_remaining: 10, time_budget_remaining_ms: 600_000, cost_budget_remaining: 1 };
  const budgets = { ...had, token_price: 0.25 };
  await node.runs.attach(ofInput('a', embedding(['1']), { budgets }));
  await endOf(node);
  const figures = framesOf(node).find(({ type }) => type === 'metrics');
  assert.ok(figures?.type === 'metrics');
  const { tokens_budget_remaining, cost_budget_remaining, kv_warmth, tokens_out } = figures.data;
  assert.deepEqual(
    [tokens_budget_remaining, cost_budget_remaining, kv_warmth, tokens_out],
    [8, 0.5, false, 0],
  );
});

test('an engine without words for it is offered no such task, nor one that was found not to do it', async () => {
  const notOffered = { code: 'INVALID_PARAMS', message: /does not do/ };
  const wordless = await start(new ManualEngine());
  await assert.rejects(wordless.runs.offer(ofInput('a', embedding(['1']))), notOffered);
  const node = await start(new InputsEngine(['refuses']));
  const pool = node.pools.get('default');
  assert.ok(pool !== undefined);
  learnWorkloads(pool, pino({ level: 'silent' }));
  while (node.pools.status('default')?.workloads == null)
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(node.pools.status('default')?.workloads, ['completion', 'rerank']);
  await assert.rejects(node.runs.offer(ofInput('a', embedding(['1']))), notOffered);
  assert.equal(node.runs.get('a'), undefined);
  const { state } = await node.runs.offer(ofInput('b', { kind: 'rerank', query: 'q', documents: ['1'] }));
  assert.notEqual(state, 'rejected');
});

test('an engine that did not answer what it does is asked again, and only once it has answered', async () => {
  const engine = new InputsEngine(['dies', 'dies']);
  const node = await start(engine);
  const pool = node.pools.get('default');
  assert.ok(pool !== undefined);
  for (const _ of [1, 2]) learnWorkloads(pool, pino({ level: 'silent' }), 5);
  assert.equal(node.pools.status('default')?.workloads, null);
  while (node.pools.status('default')?.workloads == null)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(node.pools.status('default')?.workloads, ['completion', 'embedding', 'rerank']);
  assert.equal(engine.batches.length, 4);
});
