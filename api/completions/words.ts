/**
 * A completion in a client's words: OpenAI's or Anthropic's. Every part of a stream derives from one frame, so a stream can be
 * resumed after any of them: `id:` is the frame's offset, and the parts that one frame becomes are numbered after a dot.
 */
import { DroverError, type ErrorEnvelope } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type { Dialect, RunView } from '../../contracts/node.js';
import { besideText, type BesideText } from './beside-text.js';

/** Where a reader goes on: after this part of this frame. */
export interface ChunkPlace {
  offset: number;
  part: number;
}

/** The same by the number that the event itself bears, where a protocol numbers its events. */
export interface SequencePlace {
  sequence: number;
}

/** Where a reader goes on, in either words. */
export type ReaderPlace = ChunkPlace | SequencePlace;

/** What all parts of a completion have in common. */
export interface CompletionHead {
  taskId: string;
  dialect: Dialect;
  created: number;
  model: string;
}

/** One server-sent event: its name, where the protocol has names, and its data. */
export interface Part {
  event?: string;
  data: string;
  /** The number that it bears in its data, where the protocol numbers its events. */
  sequence?: number;
}

/** How a protocol says what a task's frames mean. */
export interface Words<Whole> {
  /** Prefix of a completion's id, before the task's. */
  prefix: string;
  /** Its events tell of earlier frames too: a reader is served from the first frame on, wherever it goes on. */
  tellsOfThePast?: true;
  /** The events that a frame becomes; none for one that this protocol does not know. @param past - the task's frames so far */
  partsOf(frame: Frame, head: CompletionHead, past: readonly Frame[]): Part[];
  /** The first events of the first frame, where they can be told as soon as the task is admitted. */
  foretold?(head: CompletionHead): Part[];
  /** An error that is no frame, as the stream's last event. */
  errorPart(envelope: ErrorEnvelope, head: CompletionHead, past: readonly Frame[]): Part;
  /** The whole answer of a task that ended well. */
  wholeOf(
    text: string,
    end: Extract<Frame, { type: 'end' }>,
    head: CompletionHead,
    beside: BesideText,
  ): Whole;
}

/** The head as the node knows it from admission on. */
export function headOfView(view: RunView, dialect: Dialect): CompletionHead {
  const { task_id: taskId, admitted_at_ms, model_ref: model } = view;
  return { taskId, dialect, created: Math.floor(admitted_at_ms / 1000), model };
}

/** Id of a completion; the task's id stands in it (design §7). */
export function completionIdOf({ prefix }: Pick<Words<unknown>, 'prefix'>, taskId: string): string {
  return `${prefix}-${taskId}`;
}

/** Task id of a completion's id, or undefined where it is none of ours. */
export function taskIdOfCompletion(id: string): string | undefined {
  return /^(?:(?:chatcmpl|cmpl|msg)-|resp_)(.+)$/.exec(id)?.[1];
}

/** Reads `Last-Event-ID`; undefined when it is none of ours. */
export function parsePlace(text: string): ChunkPlace | undefined {
  const [, offset, part] = /^(\d{1,15})(?:\.(\d))?$/.exec(text) ?? [];
  return offset === undefined ? undefined : { offset: Number(offset), part: Number(part ?? 0) };
}

/** How a reader stands to a stream. */
export interface Reading {
  /** The task's frames so far. */
  past?: readonly Frame[];
  /** Where it goes on; undefined from the start. */
  place?: ReaderPlace | undefined;
  /** How many parts of the first frame it was told before that frame was there. */
  foretold?: number;
}

/** Renders frames for one reader; what it has seen is left out. */
export function chunkWriter(
  words: Words<unknown>,
  head: CompletionHead,
  reading: Reading = {},
): (frame: Frame) => string {
  return (frame) => renderParts(words.partsOf(frame, head, reading.past ?? []), frame.offset, reading);
}

/** Text of the parts of the frame at `offset`, but for those that the reader has seen. */
export function renderParts(said: readonly Part[], offset: number, { place, foretold = 0 }: Reading): string {
  return said
    .map((one, part) => ({ one, part }))
    .filter(({ part }) => offset > 0 || part >= foretold)
    .filter(({ one, part }) => place === undefined || isAfter({ offset, part, ...one }, place))
    .map(({ one, part }) => `id: ${offset}${part === 0 ? '' : `.${part}`}\n${written(one)}`)
    .join('');
}

function isAfter(one: ChunkPlace & Part, place: ReaderPlace): boolean {
  if ('sequence' in place) return (one.sequence ?? Infinity) > place.sequence;
  return one.offset === place.offset ? one.part > place.part : one.offset > place.offset;
}

/** An event's text on the wire, but for its id. */
export function written({ event, data }: Part): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`;
}

/**
 * The whole completion of an ended task.
 * @throws DroverError of the `error` frame that ended it
 */
export function completionOf<Whole>(
  words: Words<Whole>,
  frames: readonly Frame[],
  head: CompletionHead,
): Whole {
  const last = endOf(frames);
  const text = frames.map((frame) => (frame.type === 'token' ? frame.data.t : '')).join('');
  return words.wholeOf(text, last, head, besideText(frames));
}

/** The `end` frame of an ended task. @throws DroverError of the `error` frame that ended it */
export function endOf(frames: readonly Frame[]): Extract<Frame, { type: 'end' }> {
  const last = frames.at(-1);
  if (last?.type === 'error')
    throw new DroverError(last.data.code, last.data.message, withoutHead(last.data));
  if (last?.type !== 'end') throw new DroverError('WORKER_RESET', 'the stream broke off');
  return last;
}

function withoutHead({ code: _code, message: _message, correlation_id: _id, ...extras }: ErrorEnvelope) {
  return extras;
}
