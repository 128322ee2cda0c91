/**
 * A task's frames as the named events of OpenAI's responses. They are numbered without a gap, the same on every API and at any
 * time, because the numbers follow from the run log: what stands before the text has fixed ones, each piece of text has that of
 * its token frame, whose `i` has no gap either, and the end comes after the last of them.
 *
 * ```
 *  started: created [queued] in_progress output_item.added content_part.added   0 …
 *  token i: output_text.delta                                                   opening + i
 *     or:   function_call_arguments.delta, output_item.added before its first   the same, and one more a call
 *  end:     output_text.done content_part.done output_item.done, for each       opening + what was told …
 *           call function_call_arguments.done output_item.done, completed
 *  error:   failed                                                             opening + what was told
 * ```
 *
 * The message is the first item, also where it stays empty, so that a call's place is known by its own number.
 */
import type { ErrorEnvelope } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type { ResponseObject } from '../../contracts/responses.js';
import type { CompletionHead, Part, Words } from '../completions/words.js';
import { openAiErrorOf } from '../openai/openai-error.js';
import {
  callItem,
  endedResponse,
  finishedResponse,
  messageItem,
  outputText,
  responseObject,
  textOf,
  wishesOf,
  type Standing,
} from './response-object.js';

interface Event {
  type: string;
  [field: string]: unknown;
}

/** OpenAI's words for a response. */
export const responseWords: Words<ResponseObject> = {
  prefix: 'resp',
  tellsOfThePast: true,
  partsOf,
  foretold: (head) => numbered(0, admitted(head)),
  errorPart,
  wholeOf: finishedResponse,
};

function partsOf(frame: Frame, head: CompletionHead, past: readonly Frame[]): Part[] {
  switch (frame.type) {
    case 'started':
      return numbered(0, opening(head));
    case 'token':
      return numbered(numberOf(frame, past, head), pieces(frame.data, head));
    case 'metrics':
      return [];
    case 'end':
      return numbered(toldBy(past, head), [...closing(past, head), ended(past, head)]);
    case 'error':
      return refusedInQueue(past)
        ? numbered(0, [...admitted(head), ended(past, head)])
        : numbered(toldBy(past, head), [ended(past, head)]);
  }
}

/** What is true from admission on; one in the background is told to be queued, as OpenAI's are. */
function admitted(head: CompletionHead): Event[] {
  const { background } = wishesOf(head);
  const created = lifecycle('response.created', head, { status: background ? 'queued' : 'in_progress' });
  return background ? [created, lifecycle('response.queued', head, { status: 'queued' })] : [created];
}

function opening(head: CompletionHead): Event[] {
  return [
    ...admitted(head),
    lifecycle('response.in_progress', head, { status: 'in_progress' }),
    { type: 'response.output_item.added', output_index: 0, item: messageItem(head, 'in_progress') },
    { type: 'response.content_part.added', ...placeOf(head), part: outputText('') },
  ];
}

type TokenFrame = Extract<Frame, { type: 'token' }>;

function pieces({ t, tool_call }: TokenFrame['data'], head: CompletionHead): Event[] {
  if (tool_call === undefined)
    return [{ type: 'response.output_text.delta', ...placeOf(head), delta: t, logprobs: [] }];
  const { index, id, name = '', arguments: delta } = tool_call;
  const item = callItem(head, 'in_progress', index, {
    id: id ?? '',
    function: { name, arguments: '' },
  });
  const output_index = index + 1;
  const said = { type: 'response.function_call_arguments.delta', item_id: item.id, output_index, delta };
  return id === undefined ? [said] : [{ type: 'response.output_item.added', output_index, item }, said];
}

/** The number of a frame's first event: each token frame before it has one, and one more where a call begins. */
function numberOf({ data }: TokenFrame, past: readonly Frame[], head: CompletionHead): number {
  const before = (frame: Frame): boolean => frame.type === 'token' && frame.data.i < data.i;
  return opening(head).length + data.i + callsBegun(past.filter(before), head);
}

/** Only a response with tools has calls to look for. */
function callsBegun(frames: readonly Frame[], head: CompletionHead): number {
  if (wishesOf(head).tools.length === 0) return 0;
  return frames.filter((frame) => frame.type === 'token' && frame.data.tool_call?.id !== undefined).length;
}

function closing(past: readonly Frame[], head: CompletionHead): Event[] {
  const text = textOf(past);
  const [item, ...calls] = endedResponse(past, head).output;
  return [
    { type: 'response.output_text.done', ...placeOf(head), text, logprobs: [] },
    { type: 'response.content_part.done', ...placeOf(head), part: outputText(text) },
    { type: 'response.output_item.done', output_index: 0, item },
    ...calls.flatMap((call, index) => callDone(call, index + 1)),
  ];
}

function callDone(item: ResponseObject['output'][number], output_index: number): Event[] {
  if (item.type !== 'function_call') return [];
  const { id: item_id, name, arguments: args } = item;
  return [
    { type: 'response.function_call_arguments.done', item_id, output_index, name, arguments: args },
    { type: 'response.output_item.done', output_index, item },
  ];
}

/** OpenAI has no event for one that was cancelled: it is told as failed, and its status says what it is. */
function ended(past: readonly Frame[], head: CompletionHead): Event {
  const response = endedResponse(past, head);
  const { status } = response;
  return { type: `response.${status === 'cancelled' ? 'failed' : status}`, response };
}

/**
 * What is wrong with the stream, not with the response. It bears the number of the last event before it, so that who goes on
 * after it misses nothing; its body is OpenAI's event and, for clients that look there, OpenAI's error.
 */
function errorPart(envelope: ErrorEnvelope, head: CompletionHead, past: readonly Frame[]): Part {
  const { error } = openAiErrorOf(envelope);
  const { code, message, param } = error;
  const number = past.length === 0 ? admitted(head).length : toldBy(past, head);
  const data = { type: 'error', sequence_number: Math.max(0, number - 1), code, message, param, error };
  return { event: data.type, data: JSON.stringify(data) };
}

/** How many events a reader has been told when the frames so far are told, but for the last one of an ended task. */
function toldBy(past: readonly Frame[], head: CompletionHead): number {
  const tokens = past.filter(({ type }) => type === 'token').length;
  return opening(head).length + tokens + callsBegun(past, head);
}

/** A task that never had a slot has no other frame than its end. */
function refusedInQueue([first]: readonly Frame[]): boolean {
  return first?.type === 'error';
}

function placeOf(head: CompletionHead) {
  return { item_id: messageItem(head, 'in_progress').id, output_index: 0, content_index: 0 };
}

function lifecycle(type: string, head: CompletionHead, standing: Standing): Event {
  return { type, response: responseObject(head, standing) };
}

function numbered(first: number, events: readonly Event[]): Part[] {
  return events.map((event, index) => {
    const sequence = first + index;
    const data = JSON.stringify({ ...event, sequence_number: sequence });
    return { event: event.type, data, sequence };
  });
}
