/**
 * A task's frames as OpenAI's stream chunks. Every chunk derives from one frame, so a stream can be resumed after any of
 * them: `id:` is the frame's offset, and the chunks that the last frame becomes are numbered after a dot.
 */
import type { Frame } from '../../contracts/events.js';
import type { Dialect } from '../../contracts/node.js';
import type { Completion } from '../../contracts/openai.js';
import { DroverError, type ErrorEnvelope } from '../../contracts/errors.js';
import { openAiErrorOf } from './openai-error.js';

/** Where a reader goes on: after this chunk of this frame. */
export interface ChunkPlace {
  offset: number;
  part: number;
}

/** What all chunks of a completion have in common. */
export interface CompletionHead {
  taskId: string;
  dialect: Dialect;
  created: number;
  model: string;
}

/** Id of a completion; the task's id stands in it (design §7). */
export function completionIdOf({ taskId, dialect }: Pick<CompletionHead, 'taskId' | 'dialect'>): string {
  return `${dialect.object === 'chat.completion' ? 'chatcmpl' : 'cmpl'}-${taskId}`;
}

/** Task id of a completion's id, or undefined where it is none of ours. */
export function taskIdOfCompletion(id: string): string | undefined {
  return /^(?:chatcmpl|cmpl)-(.+)$/.exec(id)?.[1];
}

/** Reads `Last-Event-ID`; undefined when it is none of ours. */
export function parsePlace(text: string): ChunkPlace | undefined {
  const [, offset, part] = /^(\d{1,15})(?:\.(\d))?$/.exec(text) ?? [];
  return offset === undefined ? undefined : { offset: Number(offset), part: Number(part ?? 0) };
}

/** Renders frames for one reader; what it has seen before `place` is left out. */
export function chunkWriter(head: CompletionHead, place?: ChunkPlace): (frame: Frame) => string {
  return (frame) =>
    payloadsOf(frame, head)
      .map((payload, part) => ({ payload, part }))
      .filter(({ part }) => place === undefined || frame.offset > place.offset || part > place.part)
      .map(({ payload, part }) => `id: ${frame.offset}${part === 0 ? '' : `.${part}`}\ndata: ${payload}\n\n`)
      .join('');
}

/** An error that is no frame, as the stream's last chunk. */
export function errorChunk(envelope: ErrorEnvelope): string {
  return `data: ${JSON.stringify(openAiErrorOf(envelope))}\n\n`;
}

function payloadsOf(frame: Frame, head: CompletionHead): string[] {
  const isChat = head.dialect.object === 'chat.completion';
  switch (frame.type) {
    case 'started':
      return isChat ? [chunk(head, chatChoice({ role: 'assistant', content: '' }))] : [];
    case 'token':
      return [chunk(head, isChat ? chatChoice({ content: frame.data.t }) : textChoice(frame.data.t))];
    case 'metrics':
      return [];
    case 'end':
      return closing(frame, head, isChat);
    case 'error':
      return [JSON.stringify(openAiErrorOf(frame.data))];
  }
}

function closing(frame: Extract<Frame, { type: 'end' }>, head: CompletionHead, isChat: boolean): string[] {
  const reason = finishReason(frame.data.stop_reason);
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
  return { id: completionIdOf(head), object, created: head.created, model: head.model };
}

function chatChoice(delta: { role?: 'assistant'; content?: string }, finish: string | null = null) {
  return { index: 0, delta, logprobs: null, finish_reason: finish };
}

function textChoice(text: string, finish: string | null = null) {
  return { index: 0, text, logprobs: null, finish_reason: finish };
}

function finishReason(stopReason: string): 'stop' | 'length' {
  return stopReason === 'MAX_TOKENS' ? 'length' : 'stop';
}

function usageOf({ data }: Extract<Frame, { type: 'end' }>) {
  const { tokens_in, tokens_out } = data;
  return { prompt_tokens: tokens_in, completion_tokens: tokens_out, total_tokens: tokens_in + tokens_out };
}

/**
 * The whole completion of an ended task.
 * @throws DroverError of the `error` frame that ended it
 */
export function completionOf(frames: readonly Frame[], head: CompletionHead): Completion {
  const last = frames.at(-1);
  if (last?.type === 'error')
    throw new DroverError(last.data.code, last.data.message, withoutHead(last.data));
  if (last?.type !== 'end') throw new DroverError('WORKER_RESET', 'the stream broke off');
  const text = frames.map((frame) => (frame.type === 'token' ? frame.data.t : '')).join('');
  const shared = { id: completionIdOf(head), created: head.created, model: head.model, usage: usageOf(last) };
  const finish_reason = finishReason(last.data.stop_reason);
  if (head.dialect.object === 'text_completion') {
    return {
      ...shared,
      object: 'text_completion',
      choices: [{ index: 0, text, logprobs: null, finish_reason }],
    };
  }
  const message = { role: 'assistant' as const, content: text, refusal: null };
  return {
    ...shared,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason }],
  };
}

function withoutHead({ code: _code, message: _message, correlation_id: _id, ...extras }: ErrorEnvelope) {
  return extras;
}
