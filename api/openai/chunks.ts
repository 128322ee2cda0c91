/** A task's frames as OpenAI's stream chunks. */
import type { ErrorEnvelope } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type { Dialect } from '../../contracts/node.js';
import type { Completion } from '../../contracts/openai.js';
import type { ToolCallDelta } from '../../contracts/tools.js';
import type { BesideText } from '../completions/beside-text.js';
import { completionIdOf, type CompletionHead, type Words } from '../completions/words.js';
import { chatLogprobs, textLogprobs } from './logprobs.js';
import { openAiErrorOf } from './openai-error.js';

/** OpenAI's words for a chat or a text. */
export function openaiWords(object: 'chat.completion' | 'text_completion'): Words<Completion> {
  return {
    prefix: prefixOf(object),
    partsOf: (frame, head) => payloadsOf(frame, head).map((data) => ({ data })),
    errorPart: (envelope: ErrorEnvelope) => ({ data: JSON.stringify(openAiErrorOf(envelope)) }),
    wholeOf,
  };
}

function prefixOf(object: Dialect['object']): string {
  return object === 'chat.completion' ? 'chatcmpl' : 'cmpl';
}

function idOf({ dialect, taskId }: CompletionHead): string {
  return completionIdOf({ prefix: prefixOf(dialect.object) }, taskId);
}

function payloadsOf(frame: Frame, head: CompletionHead): string[] {
  const isChat = head.dialect.object === 'chat.completion';
  switch (frame.type) {
    case 'started':
      return isChat ? [chunk(head, chatChoice({ role: 'assistant', content: '' }))] : [];
    case 'token':
      return [chunk(head, isChat ? chatPiece(frame.data) : textPiece(frame.data))];
    case 'metrics':
      return [];
    case 'end':
      return closing(frame, head, isChat);
    case 'error':
      return [JSON.stringify(openAiErrorOf(frame.data))];
  }
}

function closing(frame: Extract<Frame, { type: 'end' }>, head: CompletionHead, isChat: boolean): string[] {
  const reason = finishReason(frame);
  const last = chunk(head, isChat ? chatChoice({}, reason) : textChoice('', reason));
  const usage = { choices: [], usage: usageOf(frame) };
  const counted = head.dialect.include_usage ? [JSON.stringify({ ...common(head), ...usage })] : [];
  return [last, ...counted, '[DONE]'];
}

function chunk(head: CompletionHead, choice: object): string {
  const usage = head.dialect.include_usage ? { usage: null } : {};
  return JSON.stringify({ ...common(head), choices: [choice], ...usage });
}

function common(head: CompletionHead) {
  const isChat = head.dialect.object === 'chat.completion';
  const object = isChat ? 'chat.completion.chunk' : 'text_completion';
  return { id: idOf(head), object, created: head.created, model: head.model };
}

type TokenData = Extract<Frame, { type: 'token' }>['data'];

function chatPiece({ t, tool_call, logprobs }: TokenData) {
  const delta = tool_call === undefined ? { content: t } : { tool_calls: [callPiece(tool_call)] };
  return { ...chatChoice(delta), logprobs: chatLogprobs(logprobs === undefined ? [] : [logprobs]) };
}

/** The first piece of a call says which it is. */
function callPiece({ index, id, name, arguments: args }: ToolCallDelta) {
  if (id === undefined) return { index, function: { arguments: args } };
  return { index, id, type: 'function', function: { name, arguments: args } };
}

function textPiece({ t, logprobs }: TokenData) {
  return { ...textChoice(t), logprobs: textLogprobs(logprobs === undefined ? [] : [logprobs]) };
}

function chatChoice(delta: object, finish: string | null = null) {
  return { index: 0, delta, logprobs: null, finish_reason: finish };
}

function textChoice(text: string, finish: string | null = null) {
  return { index: 0, text, logprobs: null, finish_reason: finish };
}

function finishReason({ data }: Extract<Frame, { type: 'end' }>): 'stop' | 'length' | 'tool_calls' {
  if (data.stop_reason === 'MAX_TOKENS') return 'length';
  return data.tool_calls === undefined ? 'stop' : 'tool_calls';
}

function usageOf({ data }: Extract<Frame, { type: 'end' }>) {
  const { tokens_in, tokens_out } = data;
  return { prompt_tokens: tokens_in, completion_tokens: tokens_out, total_tokens: tokens_in + tokens_out };
}

function wholeOf(
  text: string,
  end: Extract<Frame, { type: 'end' }>,
  head: CompletionHead,
  { toolCalls, logprobs }: BesideText,
): Completion {
  const shared = { id: idOf(head), created: head.created, model: head.model, usage: usageOf(end) };
  const finish_reason = finishReason(end);
  if (head.dialect.object === 'text_completion') {
    return {
      ...shared,
      object: 'text_completion',
      choices: [{ index: 0, text, logprobs: textLogprobs(logprobs), finish_reason }],
    };
  }
  const message = {
    role: 'assistant' as const,
    content: text === '' && toolCalls.length > 0 ? null : text,
    refusal: null,
    ...(toolCalls.length === 0 ? {} : { tool_calls: [...toolCalls] }),
  };
  return {
    ...shared,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: chatLogprobs(logprobs), finish_reason }],
  };
}
