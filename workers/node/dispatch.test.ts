import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import { ManualEngine, nodesOfTests, offerOf } from '../../testing/test-node.js';

const aNode = nodesOfTests();

describe('a task on its way to an engine', () => {
  it('B-STR-001, B-STR-002, B-STR-004: waits while the registry does not call its pool live and ready', async () => {
    const { runs, engine, pools, open } = await aNode({ slots: 0 });
    await runs.attach(offerOf('t'));
    const { live, ready } = pools.status('default') ?? {};
    assert.deepEqual([live, ready], [false, false]);
    assert.equal(engine.requests.length, 0);
    assert.equal(runs.mustView('t').state, 'queued');
    open(1);
    await engine.asked(1);
    assert.equal(pools.status('default')?.ready, true);
  });

  it('B-STR-003: waits while no slot of its pool is free', async () => {
    const { runs, engine, pools } = await aNode({ slots: 1 });
    await runs.attach(offerOf('first'));
    await runs.attach(offerOf('second'));
    await engine.asked(1);
    assert.deepEqual([pools.status('default')?.slots_free, engine.requests.length], [0, 1]);
    engine.finish('EOS');
    await engine.asked(2);
    assert.equal(runs.mustView('first').ended, true);
  });

  it('B-STR-005, B-STR-010, B-STR-012, B-DP-110, B-DP-116: is handed to the adapter of its pool and replica, and to no other', async () => {
    const engines = new Map(['one', 'two'].map((pool) => [pool, new ManualEngine()]));
    const { runs, open } = await aNode({
      slots: 0,
      adapterOf: (url) => engines.get(new URL(url).hostname) ?? assert.fail(url),
    });
    for (const pool of engines.keys()) open(1, pool);
    await runs.attach({ ...offerOf('t'), pool_id: 'two' });
    await engines.get('two')?.asked(1);
    assert.equal(engines.get('one')?.requests.length, 0);
    assert.equal(runs.mustView('t').replica_id, 'r0');
  });

  it('B-DP-113, B-STR-011: asks the engine for what its record says', async () => {
    const { runs, engine } = await aNode();
    const asked = { max_tokens: 7, temperature: 0.3, top_p: 0.9, seed: 42, stop: ['END'] };
    await runs.attach(offerOf('t', { request: asked }));
    await engine.asked(1);
    const { promptIds, maxTokens, temperature, topP, seed, stop } = engine.requests[0] ?? assert.fail();
    assert.deepEqual(promptIds, await engine.tokenize());
    assert.deepEqual([maxTokens, temperature, topP, seed, stop], [7, 0.3, 0.9, 42, ['END']]);
  });

  it('is sampled greedily where strict determinism was asked for', async () => {
    const { runs, engine } = await aNode();
    const asked = { determinism: 'strict', temperature: 0.7, top_p: 0.5 } as const;
    await runs.attach(offerOf('t', { request: asked }));
    await engine.asked(1);
    const { temperature, topP } = engine.requests[0] ?? assert.fail();
    assert.deepEqual([temperature, topP], [0, 1]);
  });

  it('B-STR-013: has each token in its stream when the engine has said it, not when all is said', async () => {
    const { runs, engine } = await aNode();
    await runs.attach(offerOf('t'));
    await engine.asked(1);
    for (const word of ['one', ' two', ' three']) {
      engine.say(word);
      await engine.heard();
      const last = runs
        .mustGet('t')
        .framesFrom(0)
        .filter(({ type }) => type === 'token')
        .at(-1);
      assert.equal(last?.type === 'token' && last.data.t, word);
    }
    assert.equal(runs.mustView('t').ended, false);
  });

  it('B-DP-117, B-STR-015: ends with the error of an engine that fails, and with no token that the engine has not said', async () => {
    const { runs, engine } = await aNode();
    await runs.attach(offerOf('t'));
    await engine.asked(1);
    engine.fail();
    await runs.waitForEnd('t', AbortSignal.timeout(5_000));
    const frames = runs.mustGet('t').framesFrom(0);
    assert.deepEqual(
      frames.map(({ type }) => type),
      ['started', 'error'],
    );
    const error = frames.at(-1);
    assert.equal(error?.type === 'error' && error.data.code, 'INTERNAL');
  });

  it('B-RERR-002: fails in the codes of tasks, with the one of its node beside it', async () => {
    const { runs, engine } = await aNode();
    await runs.attach(offerOf('t'));
    await engine.asked(1);
    engine.send(new DroverError('WORKER_UNHEALTHY', 'the engine is ill'));
    const { error } = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
    const last = runs.mustGet('t').framesFrom(0).at(-1);
    for (const told of [error, last?.type === 'error' ? last.data : null])
      assert.deepEqual([told?.code, told?.details], ['POOL_UNAVAILABLE', { cause_code: 'WORKER_UNHEALTHY' }]);
  });

  it('B-DP-150: gets no frame at all without an engine: nobody but an engine makes up tokens', async () => {
    const { runs, open, engine } = await aNode({ slots: 0 });
    await runs.attach(offerOf('t', { request: { deadline_ms: 200 } }));
    assert.deepEqual(runs.mustGet('t').framesFrom(0), []);
    const view = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
    assert.deepEqual(
      runs
        .mustGet('t')
        .framesFrom(0)
        .map(({ type }) => type),
      ['error'],
    );
    assert.deepEqual([view.state, view.tokens_out, engine.requests.length], ['expired', 0, 0]);
    open(1);
  });

  it('B-DP-151: an engine of a test that says Hello gives started, that token, metrics and end', async () => {
    const { runs, engine } = await aNode();
    await runs.attach(offerOf('t'));
    await engine.asked(1);
    engine.say('Hello');
    engine.finish('EOS');
    await runs.waitForEnd('t', AbortSignal.timeout(5_000));
    const frames = runs.mustGet('t').framesFrom(0);
    assert.deepEqual(
      frames.map((frame) => (frame.type === 'token' ? frame.data : frame.type)),
      ['started', { t: 'Hello', i: 0 }, 'metrics', 'end'],
    );
  });
});
