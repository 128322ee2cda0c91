/** Runs on an engine that takes text and tells no ids: what is counted, and how such a run goes on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type {
  EngineEvent,
  TextAdapter,
  TextRequest,
} from '../../activities/engine/adapters/engine-adapter.js';
import { pino } from 'pino';
import { NO_PROPS } from '../../activities/engine/adapters/engine-props.js';
import { DroverError } from '../../contracts/errors.js';
import type { RunInput } from '../../contracts/node.js';
import { nodesOfTests, offerOf } from '../../testing/test-node.js';

const aNode = nodesOfTests();

/** Stands for the end of the connection, and for silence until the request is given up. */
const [BREAK, SILENCE] = ['<break>', '<silence>'];

/** An engine that says these words, one piece each. */
class WordEngine implements TextAdapter {
  readonly takes = 'text';
  readonly requests: TextRequest[] = [];
  /** How it numbers its pieces. */
  numbers: number[] = [];

  constructor(
    private readonly answers: string[][],
    private readonly kinds: RunInput['kind'][] = ['text'],
  ) {}

  health = () => Promise.resolve(200);
  props = () => Promise.resolve(NO_PROPS);
  probe = () => Promise.resolve();
  close = () => Promise.resolve();
  goesOn = (kind: RunInput['kind']) => this.kinds.includes(kind);

  async *complete(request: TextRequest, signal: AbortSignal): AsyncGenerator<EngineEvent[]> {
    await Promise.resolve();
    const words = this.answers[this.requests.length] ?? [];
    this.requests.push(request);
    for (const [at, text] of words.entries()) {
      const index = this.numbers[at];
      if (text === SILENCE) await once(signal, 'abort');
      if (text === BREAK || text === SILENCE)
        throw new DroverError('WORKER_RESET', 'the connection to the engine was lost');
      yield [{ kind: 'tokens', ids: [], text, ...(index === undefined ? {} : { index }) }];
    }
    yield [{ kind: 'end', stopReason: 'EOS', stopSequence: null, tokensIn: 6, tokensOut: words.length + 1 }];
  }
}

test('pieces count as tokens until the engine says how many there were; so does its prompt', async () => {
  const engine = new WordEngine([['one', ' two']]);
  const { runs } = await aNode({ adapterOf: () => engine });
  await runs.attach(offerOf('t'));
  const view = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const frames = runs.mustGet('t').framesFrom(0);
  assert.deepEqual(
    frames.map(({ type }) => type),
    ['started', 'token', 'metrics', 'token', 'end'],
  );
  const figures = frames.find(({ type }) => type === 'metrics');
  assert.equal(figures?.type === 'metrics' && figures.data.tokens_out, 1);
  const end = frames.at(-1);
  assert.deepEqual(end?.type === 'end' && [end.data.tokens_in, end.data.tokens_out], [6, 3]);
  assert.deepEqual([view.state, view.tokens_out, view.stop_reason], ['completed', 3, 'EOS']);
  assert.deepEqual(engine.requests[0]?.input, { kind: 'text', text: 'hello' });
});

test('B-AD-010: an engine that numbers its tokens out of order is warned of once, and ours are numbered from 0', async () => {
  const lines: { event?: string; index?: number; before?: number }[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(JSON.parse(line) as object) });
  const engine = new WordEngine([['one', ' two', ' three', ' four']]);
  engine.numbers = [5, 6, 6, 2];
  const { runs } = await aNode({ adapterOf: () => engine, log });
  await runs.attach(offerOf('t'));
  assert.equal((await runs.waitForEnd('t', AbortSignal.timeout(5_000))).state, 'completed');
  const tokens = runs
    .mustGet('t')
    .framesFrom(0)
    .flatMap((frame) => (frame.type === 'token' ? [[frame.data.i, frame.data.t]] : []));
  assert.deepEqual(tokens, [
    [0, 'one'],
    [1, ' two'],
    [2, ' three'],
    [3, ' four'],
  ]);
  const told = lines.filter(({ event }) => event === 'engine_out_of_order');
  assert.deepEqual(
    told.map(({ index, before }) => [index, before]),
    [[6, 6]],
  );
});

test('B-AD-013: a run whose engine broke off goes on from its words, with what is left of its tokens', async () => {
  const engine = new WordEngine([['one', ' two', BREAK], [' three']]);
  const { runs } = await aNode({ adapterOf: () => engine });
  await runs.attach(offerOf('t', { request: { max_tokens: 8 } }));
  const view = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  assert.equal(view.state, 'completed');
  const [first, second] = engine.requests;
  assert.deepEqual([first?.said, first?.maxTokens], ['', 8]);
  assert.deepEqual([second?.said, second?.maxTokens], ['one two', 6]);
  const tokens = runs
    .mustGet('t')
    .framesFrom(0)
    .flatMap((frame) => (frame.type === 'token' ? [frame.data] : []));
  assert.deepEqual(tokens, [
    { t: 'one', i: 0 },
    { t: ' two', i: 1 },
    { t: ' three', i: 2 },
  ]);
});

test('an answer that such an engine cannot go on with ends with one clear error, and the engine is not asked again', async () => {
  const engine = new WordEngine([['one', BREAK], ['never']]);
  const { runs } = await aNode({ adapterOf: () => engine });
  const input = { kind: 'chat' as const, messages: [{ role: 'user', content: 'hello' }] };
  await runs.attach({ ...offerOf('t'), input });
  const view = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  assert.equal(view.state, 'failed');
  const last = runs.mustGet('t').framesFrom(0).at(-1);
  assert.equal(last?.type === 'error' && last.data.code, 'WORKER_RESET');
  assert.match(last?.type === 'error' ? last.data.message : '', /does not go on amid an answer/);
  assert.equal(engine.requests.length, 1);
});

test('a run of words that a worker left is taken up by the next one, from its log', async () => {
  const engine = new WordEngine([['one', ' two', SILENCE], [' three']]);
  const first = await aNode({ adapterOf: () => engine });
  await first.runs.attach(offerOf('t'));
  const broken = () => first.runs.mustGet('t').tokensOut === 2;
  while (!broken()) await new Promise((resolve) => setTimeout(resolve, 5));
  await first.crash();
  const next = await aNode({ runsDir: first.runsDir, adapterOf: () => engine });
  const view = await next.runs.waitForEnd('t', AbortSignal.timeout(5_000));
  assert.deepEqual([view.state, engine.requests[1]?.said], ['completed', 'one two']);
});

test('an engine that does not stop where it was told to is stopped, and its task ends with one clear error', async () => {
  const flood = Array.from({ length: 100 }, (_, index) => ` ${index}`);
  const engine = new WordEngine([flood]);
  const { runs } = await aNode({ adapterOf: () => engine });
  await runs.attach(offerOf('t', { request: { max_tokens: 8 } }));
  const view = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const frames = runs.mustGet('t').framesFrom(0);
  const last = frames.at(-1);
  assert.deepEqual([view.state, last?.type === 'error' && last.data.code], ['failed', 'INTERNAL']);
  assert.ok(frames.filter(({ type }) => type === 'token').length <= 16);
  assert.equal(engine.requests.length, 1);
});

test('an answer that is bound to a format is not gone on with: another half of it would fit no schema', async () => {
  const engine = new WordEngine([['{', BREAK], ['never']]);
  const { runs } = await aNode({ adapterOf: () => engine });
  await runs.attach(offerOf('t', { request: { response_format: { type: 'json_object' } } }));
  const view = await runs.waitForEnd('t', AbortSignal.timeout(5_000));
  const last = runs.mustGet('t').framesFrom(0).at(-1);
  assert.deepEqual([view.state, last?.type === 'error' && last.data.code], ['failed', 'WORKER_RESET']);
  assert.match(last?.type === 'error' ? last.data.message : '', /bound to a format/);
  assert.deepEqual([engine.requests.length, engine.requests[0]?.format], [1, { type: 'json_object' }]);
});
