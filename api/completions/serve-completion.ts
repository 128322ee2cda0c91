/** A completion's answer, streamed or whole, from the task's frames: for the request that began it and for those that resume. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Frame } from '../../contracts/events.js';
import type { Dialect } from '../../contracts/node.js';
import { relayTask } from '../relay/relay-task.js';
import type { TailLease } from '../relay/task-tails.js';
import type { TaskTail } from '../relay/task-tail.js';
import type { RequestContext } from '../request-context.js';
import {
  chunkWriter,
  completionOf,
  renderParts,
  written,
  type CompletionHead,
  type ReaderPlace,
  type Words,
} from './words.js';

/** What streams are made with. */
export interface CompletionServer {
  app: FastifyInstance;
  onDrop: (type: Frame['type']) => void;
}

/** Which completion, and where its reader goes on. */
export interface CompletionWish<Whole> {
  words: Words<Whole>;
  taskId: string;
  dialect: Dialect;
  place: ReaderPlace | undefined;
  /** The head as admission knows it, where something is to be told before the first frame. */
  early?: CompletionHead | undefined;
}

/** Streams the completion as chunks; the lease ends with the stream. */
export function streamCompletion(
  { app, onDrop }: CompletionServer,
  { tail, release }: TailLease,
  { words, taskId, dialect, place, early }: CompletionWish<unknown>,
  reply: FastifyReply,
  context: RequestContext,
): void {
  try {
    const stream = app.openEventStream(reply, {});
    stream.onClose(release);
    const foretold = early === undefined ? [] : (words.foretold?.(early) ?? []);
    const opening = renderParts(foretold, 0, { place });
    if (opening !== '') stream.write(opening);
    const head = () => headOf(tail, { taskId, dialect, ...early });
    relayTask(tail, stream, {
      from: words.tellsOfThePast === true ? 0 : offsetOf(place),
      render: (frame) =>
        chunkWriter(words, head(), { past: tail.frames, place, foretold: foretold.length })(frame),
      renderFailure: (failure) =>
        written(words.errorPart(failure.toEnvelope(context.correlationId), head(), tail.frames)),
      onDrop,
    });
  } catch (err) {
    release(false);
    throw err;
  }
}

function offsetOf(place: ReaderPlace | undefined): number {
  return place !== undefined && 'offset' in place ? place.offset : 0;
}

/**
 * Waits for the whole completion; the lease ends with it. A client that leaves meanwhile counts as a reader that left.
 * @throws DroverError of the frame that ended the task
 */
export async function wholeCompletion<Whole>(
  lease: TailLease,
  { words, taskId, dialect }: CompletionWish<Whole>,
  reply: FastifyReply,
): Promise<Whole> {
  const frames = await allFrames(lease, reply);
  return completionOf(words, frames, headOf(lease.tail, { taskId, dialect }));
}

/**
 * Waits for a task's last frame; the lease ends with it. A client that leaves meanwhile counts as a reader that left.
 * @returns all of its frames
 */
export function allFrames({ tail, release }: TailLease, reply: FastifyReply): Promise<readonly Frame[]> {
  return new Promise((resolve, reject) => {
    const unwatch = tail.watch(look);
    reply.raw.once('close', left);
    look();

    function look(): void {
      if (!tail.closed && tail.failure === undefined) return;
      done();
      release(false);
      if (tail.closed) resolve(tail.frames);
      else reject(tail.failure ?? new Error('the tail ended'));
    }
    function left(): void {
      done();
      release(true);
      reject(new Error('the client has left'));
    }
    function done(): void {
      unwatch();
      reply.raw.off('close', left);
    }
  });
}

/** All of it stands in the first frame, so any API at any time writes the same head. */
function headOf(
  { frames }: TaskTail,
  { created = 0, model = '', ...known }: Pick<CompletionHead, 'taskId' | 'dialect'> & Partial<CompletionHead>,
): CompletionHead {
  const [first] = frames;
  if (first?.type !== 'started') return { ...known, created, model };
  const { admitted_at_ms, model_ref } = first.data;
  return { ...known, created: Math.floor(admitted_at_ms / 1000), model: model_ref };
}
