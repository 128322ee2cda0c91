import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DroverError } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type { ResponseObject, ResponseWishes } from '../../contracts/responses.js';
import {
  chunkWriter,
  completionOf,
  renderParts,
  type CompletionHead,
  type Reading,
} from '../completions/words.js';
import { at, CALLING, FRAMES, head } from '../testing/sample-completion.js';
import { responseWords } from './response-events.js';

interface Told {
  type: string;
  sequence_number: number;
  response?: ResponseObject;
  [field: string]: unknown;
}

const WISHES: ResponseWishes = {
  background: false,
  store: true,
  instructions: 'Be brief.',
  max_output_tokens: 3,
  metadata: { a: 'b' },
  parallel_tool_calls: true,
  temperature: 0,
  text_format: { type: 'text' },
  tool_choice: 'auto',
  tools: [],
  top_p: null,
  user: null,
};

const headOf = (background = false, tools: ResponseWishes['tools'] = []): CompletionHead => {
  const known = head('response');
  return { ...known, dialect: { ...known.dialect, response: { ...WISHES, background, tools } } };
};
const WITH_TOOLS = headOf(false, [
  { type: 'function', name: 'get_tide' },
  { type: 'function', name: 'get_wind' },
]);

/** Of the words of a message. */
const textIn = (item: ResponseObject['output'][number] | undefined) =>
  item?.type === 'message' ? item.content[0]?.text : undefined;

const read = (text: string): Told[] =>
  text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const [, name, data = '{}'] = /\nevent: (.*)\ndata: (.*)$/.exec(block) ?? [];
      const told = JSON.parse(data) as Told;
      assert.equal(name, told.type);
      return told;
    });

const tell = (
  frames: readonly Frame[],
  reading: Omit<Reading, 'past'> = {},
  background = false,
  known = headOf(background),
) =>
  read(
    frames
      .map((frame, index) =>
        chunkWriter(responseWords, known, { ...reading, past: frames.slice(0, index + 1) })(frame),
      )
      .join(''),
  );

const types = (told: readonly Told[]) => told.map(({ type }) => type);
const failure = (code: 'CANCELLED' | 'DECODE_TIMEOUT', offset = 4): Frame => ({
  ...at(offset),
  type: 'error',
  data: new DroverError(code, 'it is over').toEnvelope(),
});

describe('a response in events', () => {
  it('opens, tells its text in pieces, closes what it opened and says that it was cut by its limit', () => {
    const told = tell(FRAMES);
    assert.deepEqual(types(told), [
      ...['response.created', 'response.in_progress'],
      ...['response.output_item.added', 'response.content_part.added'],
      ...['response.output_text.delta', 'response.output_text.delta'],
      ...['response.output_text.done', 'response.content_part.done', 'response.output_item.done'],
      'response.incomplete',
    ]);
    const { status, incomplete_details, output, usage } = told.at(-1)?.response ?? assert.fail();
    assert.equal(status, 'incomplete');
    assert.deepEqual(incomplete_details, { reason: 'max_output_tokens' });
    assert.equal(textIn(output[0]), 'Hello ☕');
    assert.deepEqual([usage?.input_tokens, usage?.output_tokens], [2, 3]);
    assert.equal(told[6]?.['text'], 'Hello ☕');
  });

  it('repeats what its request said', () => {
    const { response } = tell(FRAMES)[0] ?? assert.fail();
    const { id, created_at, model, instructions, metadata, temperature, max_output_tokens } =
      response ?? assert.fail();
    assert.deepEqual([id, created_at, model], ['resp_t-1', 1_700_000_000, 'demo']);
    assert.deepEqual([instructions, metadata], ['Be brief.', { a: 'b' }]);
    assert.deepEqual([temperature, max_output_tokens], [0, 3]);
  });

  for (const background of [false, true]) {
    const where = background ? 'in the background' : 'in the foreground';

    it(`is numbered from 0 without a gap, ${where}`, () => {
      const numbers = tell(FRAMES, {}, background).map(({ sequence_number }) => sequence_number);
      assert.deepEqual(numbers, [...numbers.keys()]);
    });

    it(`goes on after any of its numbers, ${where}`, () => {
      const whole = tell(FRAMES, {}, background);
      for (const { sequence_number: sequence } of whole) {
        const rest = tell(FRAMES, { place: { sequence } }, background);
        assert.deepEqual(rest, whole.slice(sequence + 1), `after ${sequence}`);
      }
    });

    it(`is foretold at admission, and what was foretold comes once, ${where}`, () => {
      const known = headOf(background);
      const early = responseWords.foretold?.(known) ?? [];
      const rest = tell(FRAMES, { foretold: early.length }, background);
      assert.deepEqual([...read(renderParts(early, 0, {})), ...rest], tell(FRAMES, {}, background));
      const after = renderParts(early, 0, { place: { sequence: early.length - 1 } });
      assert.equal(after, '');
    });
  }

  it('says that it is queued in the background alone', () => {
    assert.equal(types(tell(FRAMES, {}, true))[1], 'response.queued');
    assert.ok(!types(tell(FRAMES)).includes('response.queued'));
  });

  it('that fails keeps the text so far, and says why', () => {
    const told = tell([...FRAMES.slice(0, 4), failure('DECODE_TIMEOUT')]);
    assert.deepEqual([told.at(-1)?.type, told.at(-1)?.sequence_number], ['response.failed', 6]);
    const { status, error, output } = told.at(-1)?.response ?? assert.fail();
    assert.deepEqual([status, error], ['failed', { code: 'DECODE_TIMEOUT', message: 'it is over' }]);
    assert.deepEqual([output[0]?.status, textIn(output[0])], ['incomplete', 'Hello ☕']);
  });

  it('that was cancelled says so', () => {
    const told = tell([...FRAMES.slice(0, 4), failure('CANCELLED')]);
    assert.deepEqual([told.at(-1)?.type, told.at(-1)?.response?.status], ['response.failed', 'cancelled']);
  });

  it('that never had a slot is told to be there before it is told to have failed', () => {
    const told = tell([failure('DECODE_TIMEOUT', 0)], {}, true);
    assert.deepEqual(types(told), ['response.created', 'response.queued', 'response.failed']);
    assert.deepEqual(
      told.map(({ sequence_number }) => sequence_number),
      [0, 1, 2],
    );
  });

  it('whose stream breaks says it under the number of its last event, so that nothing is missed after it', () => {
    const envelope = new DroverError('POOL_UNAVAILABLE', 'the node is away').toEnvelope();
    const { event, data } = responseWords.errorPart(envelope, headOf(), FRAMES.slice(0, 4));
    const said = JSON.parse(data) as Told;
    assert.deepEqual(
      [event, said['code'], said['message']],
      ['error', 'POOL_UNAVAILABLE', 'the node is away'],
    );
    assert.equal(said.sequence_number, tell(FRAMES.slice(0, 4)).at(-1)?.sequence_number);
  });

  it('is the same when it is asked for whole', () => {
    const whole = completionOf(responseWords, FRAMES, headOf());
    assert.deepEqual(whole, tell(FRAMES).at(-1)?.response);
  });

  it('calls tools: each call is an item behind the message, begun, filled and done', () => {
    const told = tell(CALLING, {}, false, WITH_TOOLS);
    const [tide, wind] = ['fc_t-1_0', 'fc_t-1_1'];
    const about = told.map(({ type, item_id, item, output_index, delta, arguments: args }) => {
      const { id, status } = (item ?? {}) as { id?: string; status?: string };
      return [type.replace('response.', ''), item_id ?? id, output_index, status ?? delta ?? args];
    });
    assert.deepEqual(about.slice(4, 9), [
      ['output_item.added', tide, 1, 'in_progress'],
      ['function_call_arguments.delta', tide, 1, '{"a'],
      ['function_call_arguments.delta', tide, 1, '":1}'],
      ['output_item.added', wind, 2, 'in_progress'],
      ['function_call_arguments.delta', wind, 2, '{}'],
    ]);
    assert.deepEqual(about.slice(12, 16), [
      ['function_call_arguments.done', tide, 1, '{"a":1}'],
      ['output_item.done', tide, 1, 'completed'],
      ['function_call_arguments.done', wind, 2, '{}'],
      ['output_item.done', wind, 2, 'completed'],
    ]);
    const { status, output, tools } = told.at(-1)?.response ?? assert.fail();
    assert.deepEqual([status, tools.length, textIn(output[0])], ['completed', 2, '']);
    assert.deepEqual(output[1], {
      ...{ id: tide, type: 'function_call', status: 'completed' },
      ...{ call_id: 'c0', name: 'get_tide', arguments: '{"a":1}' },
    });
    assert.deepEqual(completionOf(responseWords, CALLING, WITH_TOOLS), told.at(-1)?.response);
  });

  it('with calls is numbered from 0 without a gap, and goes on after any of its numbers', () => {
    const whole = tell(CALLING, {}, false, WITH_TOOLS);
    const numbers = whole.map(({ sequence_number }) => sequence_number);
    assert.deepEqual(numbers, [...numbers.keys()]);
    for (const { sequence_number: sequence } of whole)
      assert.deepEqual(
        tell(CALLING, { place: { sequence } }, false, WITH_TOOLS),
        whole.slice(sequence + 1),
        `after ${sequence}`,
      );
  });

  it('that breaks off amid its calls keeps them as they were', () => {
    const told = tell([...CALLING.slice(0, 3), failure('DECODE_TIMEOUT', 3)], {}, false, WITH_TOOLS);
    const { output } = told.at(-1)?.response ?? assert.fail();
    assert.deepEqual(
      output.map(({ type, status }) => [type, status]),
      [
        ['message', 'incomplete'],
        ['function_call', 'incomplete'],
      ],
    );
    assert.equal(told.at(-1)?.sequence_number, told.length - 1);
  });
});
