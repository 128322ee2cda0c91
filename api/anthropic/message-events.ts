/**
 * A task's frames as the named events of Anthropic's messages: a block of text, then one for each tool that is used; each is
 * begun, filled and closed. The text's block is always there, so that the block after a frame's is known by that frame alone.
 */
import type { MessageStop, WholeMessage } from '../../contracts/anthropic.js';
import type { ErrorEnvelope } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type { ToolCall } from '../../contracts/tools.js';
import { completionIdOf, type CompletionHead, type Part, type Words } from '../completions/words.js';
import { anthropicErrorOf } from './anthropic-error.js';

const PREFIX = 'msg';

/** Anthropic's words for a message. */
export const anthropicWords: Words<WholeMessage> = {
  prefix: PREFIX,
  partsOf,
  errorPart: failed,
  wholeOf: (text, end, head, { toolCalls }) => ({
    ...common(head),
    content: [
      ...(text === '' && toolCalls.length > 0 ? [] : [{ type: 'text' as const, text }]),
      ...toolCalls.map(useOf),
    ],
    ...stopOf(end),
    usage: usageOf(end),
  }),
};

function partsOf(frame: Frame, head: CompletionHead): Part[] {
  switch (frame.type) {
    case 'started':
      return [
        begun(head),
        part({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      ];
    case 'token':
      return piece(frame.data);
    case 'metrics':
      return [];
    case 'end':
      return [
        part({ type: 'content_block_stop', index: frame.data.tool_calls ?? 0 }),
        part({ type: 'message_delta', delta: stopOf(frame), usage: usageOf(frame) }),
        part({ type: 'message_stop' }),
      ];
    case 'error':
      return [failed(frame.data)];
  }
}

function piece({ t, tool_call }: Extract<Frame, { type: 'token' }>['data']): Part[] {
  if (tool_call === undefined) return [filled(0, { type: 'text_delta', text: t })];
  const index = tool_call.index + 1;
  const { id, name, arguments: partial_json } = tool_call;
  const rest = filled(index, { type: 'input_json_delta', partial_json });
  if (id === undefined) return [rest];
  const content_block = { type: 'tool_use', id, name, input: {} };
  return [
    part({ type: 'content_block_stop', index: tool_call.index }),
    part({ type: 'content_block_start', index, content_block }),
    rest,
  ];
}

function filled(index: number, delta: object): Part {
  return part({ type: 'content_block_delta', index, delta });
}

/** What was cut off amid its input has none that could be read. */
function useOf({ id, function: { name, arguments: args } }: ToolCall) {
  return { type: 'tool_use' as const, id, name, input: inputOf(args) };
}

function inputOf(args: string): Record<string, unknown> {
  try {
    const input: unknown = JSON.parse(args);
    return typeof input === 'object' && input !== null ? { ...input } : {};
  } catch {
    return {};
  }
}

function failed(envelope: ErrorEnvelope): Part {
  return part({ ...anthropicErrorOf(envelope) });
}

/** How many tokens the prompt has is told at the end: an engine that takes text says it no earlier. */
function begun(head: CompletionHead): Part {
  const message = {
    ...common(head),
    ...{ content: [], stop_reason: null, stop_sequence: null },
    usage: { input_tokens: 0, output_tokens: 0 },
  };
  return part({ type: 'message_start', message });
}

function part(data: { type: string; [field: string]: unknown }): Part {
  return { event: data.type, data: JSON.stringify(data) };
}

function common(head: CompletionHead) {
  const id = completionIdOf({ prefix: PREFIX }, head.taskId);
  return { id, type: 'message' as const, role: 'assistant' as const, model: head.model };
}

const STOPS: Record<string, MessageStop> = { MAX_TOKENS: 'max_tokens', STOP_SEQUENCE: 'stop_sequence' };

function stopOf({ data }: Extract<Frame, { type: 'end' }>) {
  const own = data.tool_calls === undefined ? 'end_turn' : 'tool_use';
  const stop_reason = STOPS[data.stop_reason] ?? own;
  return { stop_reason, stop_sequence: data.stop_sequence_matched ?? null };
}

function usageOf({ data }: Extract<Frame, { type: 'end' }>) {
  return { input_tokens: data.tokens_in, output_tokens: data.tokens_out };
}
