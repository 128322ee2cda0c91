/** From a task's tail to one reader: whatever is new goes out at once, at the pace of the reader's socket. */
import type { EventStream } from '../plugins/sse.js';
import type { DroverError } from '../../contracts/errors.js';
import { closesStream, type Frame, type MetricsData } from '../../contracts/events.js';
import { asTaskError } from '../../contracts/task-errors.js';
import type { TaskTail } from './task-tail.js';

/** How one reader is served. */
export interface RelayOptions {
  /** First offset that the reader wants. */
  from: number;
  /** Text of a frame in the reader's words; empty for one that it does not get. */
  render: (frame: Frame) => string;
  /** Text of how far the preparation is, before the first frame; without it nothing is told of that. */
  renderPreparation?: (figures: MetricsData) => string;
  /** Text of the error that ends a stream whose log cannot be had. */
  renderFailure: (failure: DroverError) => string;
  /** A frame was left out of a slow reader's stream. */
  onDrop: (type: Frame['type']) => void;
  /** Frames that come within so long of a write go out together, with the next; 0, the default, sends each as it comes (B-DP-164). */
  gatherMs?: number;
}

/** A reader further behind than this gets no live figures (B-DP-161). */
const SLOW_READER_FRAMES = 32;
/** Replayed frames are gathered up to this size between two looks at the socket. */
const CHUNK_CHARACTERS = 16_384;

/** Serves a reader until its stream ends; nothing is kept but the reader's place. */
export function relayTask(tail: TaskTail, stream: EventStream, options: RelayOptions): void {
  let next = options.from;
  let told: MetricsData | undefined;
  const isOver = (): boolean => {
    const last = tail.frames.at(-1);
    return tail.failure !== undefined || (last !== undefined && closesStream(last));
  };
  const pace = paced(pump, isOver, options.gatherMs);
  const unwatch = tail.watch(pace.go);
  stream.onReady(pump);
  stream.onClose(leave);
  pump();

  function pump(): void {
    if (stream.isClosed()) return;
    while (!stream.isBlocked()) {
      const chunk = nextChunk();
      if (chunk.text !== '') stream.write(chunk.text);
      if (chunk.last) return finish();
      if (chunk.text === '') break;
    }
    tellPreparation();
    if (tail.failure !== undefined && !stream.isBlocked()) {
      stream.write(options.renderFailure(asTaskError(tail.failure)));
      finish();
    }
  }

  /** The newest alone: what a slow reader has missed of it is of no use any more. */
  function tellPreparation(): void {
    const { preparation, frames } = tail;
    if (preparation === undefined || preparation === told || frames.length > 0 || stream.isBlocked()) return;
    told = preparation;
    const text = options.renderPreparation?.(preparation) ?? '';
    if (text !== '') stream.write(text);
  }

  function nextChunk(): { text: string; last: boolean } {
    let text = '';
    for (let index = tail.indexOf(next) ?? Infinity; index < tail.frames.length; index++) {
      const frame = tail.frames[index];
      if (frame === undefined) break;
      next = frame.offset + 1;
      if (isLateFigure(frame, index)) options.onDrop(frame.type);
      else text += options.render(frame);
      if (closesStream(frame)) return { text, last: true };
      if (text.length >= CHUNK_CHARACTERS) break;
    }
    return { text, last: false };
  }

  function isLateFigure(frame: Frame, index: number): boolean {
    const isBehind = tail.frames.length - 1 - index > SLOW_READER_FRAMES;
    return frame.type === 'metrics' && isBehind && frame.offset >= tail.liveFrom;
  }

  function finish(): void {
    leave();
    stream.end();
  }

  function leave(): void {
    unwatch();
    pace.stop();
  }
}

/** Runs `work` at once, and what is asked for within `gatherMs` of that together, after it; what is `urgent` never waits. */
function paced(work: () => void, urgent: () => boolean, gatherMs = 0): { go: () => void; stop: () => void } {
  if (gatherMs === 0) return { go: work, stop: () => undefined };
  let timer: NodeJS.Timeout | undefined;
  let isAsked = false;
  const go = (): void => {
    if (timer !== undefined && !urgent()) return void (isAsked = true);
    isAsked = false;
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      if (isAsked) go();
    }, gatherMs).unref();
    work();
  };
  return { go, stop: () => clearTimeout(timer) };
}
