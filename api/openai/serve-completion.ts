/** A completion's answer, streamed or whole, from the task's frames: for the request that began it and for those that resume. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Frame } from '../../contracts/events.js';
import type { Dialect } from '../../contracts/node.js';
import type { Completion } from '../../contracts/openai.js';
import { relayTask } from '../relay/relay-task.js';
import type { TailLease } from '../relay/task-tails.js';
import type { TaskTail } from '../relay/task-tail.js';
import type { RequestContext } from '../request-context.js';
import { chunkWriter, completionOf, errorChunk, type ChunkPlace, type CompletionHead } from './chunks.js';

/** What streams are made with. */
export interface CompletionServer {
  app: FastifyInstance;
  onDrop: (type: Frame['type']) => void;
}

/** Which completion, and where its reader goes on. */
export interface CompletionWish {
  taskId: string;
  dialect: Dialect;
  place: ChunkPlace | undefined;
}

/** Streams the completion as chunks; the lease ends with the stream. */
export function streamCompletion(
  { app, onDrop }: CompletionServer,
  { tail, release }: TailLease,
  { taskId, dialect, place }: CompletionWish,
  reply: FastifyReply,
  context: RequestContext,
): void {
  try {
    const stream = app.openEventStream(reply, {});
    stream.onClose(release);
    relayTask(tail, stream, {
      from: place?.offset ?? 0,
      render: (frame) => chunkWriter(headOf(tail, taskId, dialect), place)(frame),
      renderFailure: (failure) => errorChunk(failure.toEnvelope(context.correlationId)),
      onDrop,
    });
  } catch (err) {
    release(false);
    throw err;
  }
}

/**
 * Waits for the whole completion; the lease ends with it. A client that leaves meanwhile counts as a reader that left.
 * @throws DroverError of the frame that ended the task
 */
export async function wholeCompletion(
  lease: TailLease,
  { taskId, dialect }: CompletionWish,
  reply: FastifyReply,
): Promise<Completion> {
  const frames = await allFrames(lease, reply);
  return completionOf(frames, headOf(lease.tail, taskId, dialect));
}

function allFrames({ tail, release }: TailLease, reply: FastifyReply): Promise<readonly Frame[]> {
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
function headOf({ frames }: TaskTail, taskId: string, dialect: Dialect): CompletionHead {
  const [first] = frames;
  if (first?.type !== 'started') return { taskId, dialect, created: 0, model: '' };
  const { admitted_at_ms, model_ref } = first.data;
  return { taskId, dialect, created: Math.floor(admitted_at_ms / 1000), model: model_ref };
}
