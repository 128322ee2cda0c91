/** A response as it stands: what its request said, and what has become of its task. */
import type { Frame } from '../../contracts/events.js';
import type { OutputCall, OutputMessage, OutputText } from '../../contracts/response-items.js';
import type { ResponseObject, ResponseWishes } from '../../contracts/responses.js';
import type { ToolCall } from '../../contracts/tools.js';
import { besideText, type BesideText } from '../completions/beside-text.js';
import type { CompletionHead } from '../completions/words.js';

/** What of a response changes while its task runs. */
export type Standing = Partial<Pick<ResponseObject, 'error' | 'incomplete_details' | 'output' | 'usage'>> &
  Pick<ResponseObject, 'status'>;

const ID_PREFIX = 'resp_';
const MESSAGE_PREFIX = 'msg_';
const CALL_PREFIX = 'fc_';

/** Id of the task whose message an item id names, or undefined where it is none of ours. */
export function taskIdOfMessage(itemId: string): string | undefined {
  return itemId.startsWith(MESSAGE_PREFIX) ? itemId.slice(MESSAGE_PREFIX.length) : undefined;
}

/** The task and the number of the call that an item id names, or undefined where it is none of ours. */
export function placeOfCall(itemId: string): { taskId: string; index: number } | undefined {
  const [, taskId, index] = /^fc_(.+)_(\d{1,6})$/.exec(itemId) ?? [];
  return taskId === undefined ? undefined : { taskId, index: Number(index) };
}

/** What the request of a response said. */
export function wishesOf({ dialect }: CompletionHead): ResponseWishes {
  if (dialect.response === undefined) throw new TypeError('a response has what its request said');
  return dialect.response;
}

/** The response in this standing. */
export function responseObject(head: CompletionHead, standing: Standing): ResponseObject {
  const { text_format, ...wishes } = wishesOf(head);
  return {
    id: `${ID_PREFIX}${head.taskId}`,
    object: 'response',
    created_at: head.created,
    model: head.model,
    ...wishes,
    text: { format: text_format },
    previous_response_id: null,
    truncation: 'disabled',
    error: null,
    incomplete_details: null,
    output: [],
    usage: null,
    ...standing,
  };
}

/** The response of an ended task, from all of its frames. */
export function endedResponse(frames: readonly Frame[], head: CompletionHead): ResponseObject {
  const last = frames.at(-1);
  const text = textOf(frames);
  const beside = besideText(frames);
  if (last?.type === 'end') return finishedResponse(text, last, head, beside);
  const { toolCalls } = beside;
  const output = text === '' && toolCalls.length === 0 ? [] : outputOf(head, 'incomplete', text, toolCalls);
  const { code, message } =
    last?.type === 'error' ? last.data : { code: 'WORKER_RESET', message: 'the stream broke off' };
  const status = code === 'CANCELLED' ? 'cancelled' : 'failed';
  return responseObject(head, { status, error: { code, message }, output });
}

/** The response of a task that ended well. */
export function finishedResponse(
  text: string,
  { data }: Extract<Frame, { type: 'end' }>,
  head: CompletionHead,
  { toolCalls }: BesideText,
): ResponseObject {
  const isCut = data.stop_reason === 'MAX_TOKENS';
  const status = isCut ? 'incomplete' : 'completed';
  return responseObject(head, {
    status,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output: outputOf(head, status, text, toolCalls),
    usage: usageOf(data.tokens_in, data.tokens_out),
  });
}

/** The message, which is there even where the response has nothing to say, and the calls in their order. */
function outputOf(
  head: CompletionHead,
  status: OutputMessage['status'],
  text: string,
  calls: readonly ToolCall[],
): ResponseObject['output'] {
  return [
    messageItem(head, status, text),
    ...calls.map((call, index) => callItem(head, status, index, call)),
  ];
}

/** A call that a response makes, the `index`th. */
export function callItem(
  { taskId }: CompletionHead,
  status: OutputCall['status'],
  index: number,
  { id: call_id, function: { name, arguments: args } }: Pick<ToolCall, 'id' | 'function'>,
): OutputCall {
  const id = `${CALL_PREFIX}${taskId}_${index}`;
  return { id, type: 'function_call', status, call_id, name, arguments: args };
}

/** Both details are what OpenAI charges otherwise: here nothing is charged, and reasoning is text like any other. */
function usageOf(input_tokens: number, output_tokens: number): ResponseObject['usage'] {
  return {
    input_tokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input_tokens + output_tokens,
  };
}

/** The text that these frames tell. */
export function textOf(frames: readonly Frame[]): string {
  return frames.map((frame) => (frame.type === 'token' ? frame.data.t : '')).join('');
}

/** The one message of a response; without a text it has just begun. */
export function messageItem(
  { taskId }: CompletionHead,
  status: OutputMessage['status'],
  text?: string,
): OutputMessage {
  const content = text === undefined ? [] : [outputText(text)];
  return { id: `${MESSAGE_PREFIX}${taskId}`, type: 'message', role: 'assistant', status, content };
}

/** A text as a part of a message. */
export function outputText(text: string): OutputText {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}
