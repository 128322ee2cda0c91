/** What an answer has beside its text: in which frames it comes, and what becomes of it when an engine dies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineEvent } from '../../activities/engine/adapters/engine-adapter.js';
import { DroverError } from '../../contracts/errors.js';
import type { TokenLogprob } from '../../contracts/logprobs.js';
import type { ToolCallDelta } from '../../contracts/tools.js';
import { nodesOfTests, offerOf, type TestNode } from '../../testing/test-node.js';

const aNode = nodesOfTests();

const call = (toolCall: ToolCallDelta): EngineEvent => ({ kind: 'tokens', ids: [], text: '', toolCall });
const END: EngineEvent = {
  ...{ kind: 'end', stopReason: 'EOS', stopSequence: null },
  ...{ tokensIn: 90, tokensOut: 7 },
};
const BROKEN = new DroverError('WORKER_RESET', 'the connection to the engine was lost');
const tool = { type: 'function' as const, function: { name: 'get_tide' } };
const withTools = (taskId: string) =>
  offerOf(taskId, {
    input: {
      kind: 'chat',
      messages: [{ role: 'user', content: 'hello' }],
      tool_use: { tools: [tool], tool_choice: 'required' },
    },
  });
const framesOf = ({ runs }: TestNode, task: string) => runs.mustGet(task).framesFrom(0);
const tokensOf = (node: TestNode, task: string) =>
  framesOf(node, task).flatMap((frame) => (frame.type === 'token' ? [frame.data] : []));
const endOf = ({ runs }: TestNode, task: string) => runs.waitForEnd(task, AbortSignal.timeout(10_000));

test('a call comes in frames without text, and the end says how many there were and what the engine counted', async () => {
  const node = await aNode();
  const { engine, runs } = node;
  await runs.attach(withTools('a'));
  await engine.asked(1);
  engine.send([call({ index: 0, id: 'c0', name: 'get_tide', arguments: '{' })]);
  engine.send([
    call({ index: 0, arguments: '}' }),
    call({ index: 1, id: 'c1', name: 'get_tide', arguments: '{}' }),
  ]);
  engine.send([END]);
  assert.equal((await endOf(node, 'a')).state, 'completed');
  assert.deepEqual(tokensOf(node, 'a'), [
    { t: '', i: 0, tool_call: { index: 0, id: 'c0', name: 'get_tide', arguments: '{' } },
    { t: '', i: 1, tool_call: { index: 0, arguments: '}' } },
    { t: '', i: 2, tool_call: { index: 1, id: 'c1', name: 'get_tide', arguments: '{}' } },
  ]);
  const end = framesOf(node, 'a').at(-1);
  assert.ok(end?.type === 'end');
  const { tool_calls, tokens_in, tokens_out, stop_reason } = end.data;
  assert.deepEqual([tool_calls, tokens_in, tokens_out, stop_reason], [2, 90, 7, 'EOS']);
  assert.deepEqual([engine.requests.length, engine.chats[0]?.maxTokens], [0, 8]);
  assert.equal(engine.chats[0]?.input.tool_use?.tool_choice, 'required');
});

test('an answer with tools begins anew while nobody has seen any of it, and ends with one WORKER_RESET once somebody has', async () => {
  const node = await aNode();
  const { engine, runs } = node;
  await runs.attach(withTools('a'));
  await engine.asked(1);
  engine.send(BROKEN);
  await engine.asked(2);
  engine.send([call({ index: 0, id: 'c0', name: 'get_tide', arguments: '{' })]);
  await engine.heard();
  engine.send(BROKEN);
  const { state, error } = await endOf(node, 'a');
  assert.deepEqual([state, error?.code], ['failed', 'WORKER_RESET']);
  assert.match(error?.message ?? '', /with tools cannot be gone on with/);
  assert.equal(engine.chats.length, 2);
  assert.deepEqual(
    framesOf(node, 'a')
      .map(({ type }) => type)
      .filter((type) => type !== 'metrics'),
    ['started', 'token', 'error'],
  );
});

test('what an engine says beforehand that it does not do is refused before the task is accepted', async () => {
  const node = await aNode();
  const wanted: unknown[] = [];
  const check = (what: unknown) => {
    wanted.push(what);
    return Promise.reject(new DroverError('INVALID_PARAMS', 'tools: no'));
  };
  Object.assign(node.engine, { check });
  const offer = withTools('a');
  await assert.rejects(node.runs.offer(offer), { code: 'INVALID_PARAMS' });
  await assert.rejects(node.runs.offer(offerOf('b', { request: { logprobs: 2 } })), {
    code: 'INVALID_PARAMS',
  });
  assert.deepEqual(wanted, [
    { input: offer.input, logprobs: undefined },
    { input: { kind: 'text', text: 'hello' }, logprobs: 2 },
  ]);
  assert.deepEqual([node.engine.chats.length, node.engine.requests.length], [0, 0]);
});

test('log probabilities come with the text of their tokens, and say where it begins, also after the engine died', async () => {
  const likely = (token: string): TokenLogprob => ({ token, logprob: -0.5, bytes: null, top_logprobs: [] });
  const said = (id: number, text: string, token = text): EngineEvent => ({
    ...{ kind: 'tokens', ids: [id], text },
    logprobs: [likely(token)],
  });
  const node = await aNode();
  const { engine, runs } = node;
  await runs.attach(offerOf('a', { request: { logprobs: 0 } }));
  await engine.asked(1);
  engine.say('ab');
  engine.send([said(20, '', 'c')]);
  engine.send([said(21, 'cd', 'd')]);
  await engine.heard();
  engine.send(BROKEN);
  await engine.asked(2);
  engine.send([said(22, 'e'), said(23, '', 'cut off'), END]);
  await endOf(node, 'a');
  assert.deepEqual(tokensOf(node, 'a'), [
    { t: 'ab', i: 0 },
    { t: 'cd', i: 1, logprobs: { text_offset: 2, content: [likely('c'), likely('d')] } },
    { t: 'e', i: 2, logprobs: { text_offset: 4, content: [likely('e')] } },
  ]);
  assert.deepEqual(
    engine.requests.map(({ logprobs }) => logprobs),
    [0, 0],
  );
});
