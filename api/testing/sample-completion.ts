/** A short task as its frames tell it, for the tests of whoever tells it in other words. */
import type { Frame } from '../../contracts/events.js';
import type { ToolCallDelta } from '../../contracts/tools.js';
import type { CompletionHead } from '../completions/words.js';

/** What all parts of the completion have in common. */
export const head = (object: CompletionHead['dialect']['object'], include_usage = true): CompletionHead => ({
  taskId: 't-1',
  dialect: { object, include_usage },
  created: 1_700_000_000,
  model: 'demo',
});

/** Place of a frame. */
export const at = (offset: number) => ({ offset, epoch: 1 });
const STARTED = {
  queue_position: 0,
  predicted_start_ms: 0,
  task_id: 't-1',
  engine: 'llamacpp',
  pool_id: 'default',
  replica_id: 'r0',
  model_ref: 'demo',
  correlation_id: 'c',
  admitted_at_ms: 1_700_000_000_123,
};
const METRICS = {
  queue_depth: 0,
  on_time_probability: 1,
  kv_warmth: true,
  tokens_out: 1,
  tokens_budget_remaining: null,
  time_budget_remaining_ms: null,
  cost_budget_remaining: null,
};
const END = { tokens_out: 3, tokens_in: 2, decode_time_ms: 5, decode_ms: 5 };
/** Its frames, from the first to the last. */
export const FRAMES: Frame[] = [
  { ...at(0), type: 'started', data: STARTED },
  { ...at(1), type: 'token', data: { t: 'Hello', i: 0 } },
  { ...at(2), type: 'metrics', data: METRICS },
  { ...at(3), type: 'token', data: { t: ' ☕', i: 1 } },
  {
    ...at(4),
    type: 'end',
    data: { ...END, stop_reason: 'MAX_TOKENS' },
  },
];

const called = (offset: number, tool_call: ToolCallDelta): Frame => ({
  ...at(offset),
  type: 'token',
  data: { t: '', i: offset - 1, tool_call },
});
/** Those of an answer that says nothing and calls two tools. */
export const CALLING: Frame[] = [
  { ...at(0), type: 'started', data: STARTED },
  called(1, { index: 0, id: 'c0', name: 'get_tide', arguments: '{"a' }),
  called(2, { index: 0, arguments: '":1}' }),
  called(3, { index: 1, id: 'c1', name: 'get_wind', arguments: '{}' }),
  { ...at(4), type: 'end', data: { ...END, stop_reason: 'EOS', tool_calls: 2 } },
];

const likely = (token: string, logprob: number) => ({ token, logprob, bytes: [...Buffer.from(token)] });
/** Those of an answer whose tokens say how likely they were. */
export const LIKELY: Frame[] = [
  { ...at(0), type: 'started', data: STARTED },
  {
    ...at(1),
    type: 'token',
    data: {
      ...{ t: 'Hello', i: 0 },
      logprobs: {
        text_offset: 0,
        content: [
          { ...likely('Hel', -0.5), top_logprobs: [likely('Hel', -0.5), likely('Good', -1)] },
          { ...likely('lo', -0.25), top_logprobs: [] },
        ],
      },
    },
  },
  {
    ...at(2),
    type: 'token',
    data: {
      ...{ t: ' sea', i: 1 },
      logprobs: { text_offset: 5, content: [{ ...likely(' sea', -0.75), top_logprobs: [] }] },
    },
  },
  { ...at(3), type: 'end', data: { ...END, stop_reason: 'EOS' } },
];
