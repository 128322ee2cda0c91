/** The tails that this process holds: one a task, opened by its first reader, closed by its last (design §2.4). */
import type { FastifyBaseLogger } from 'fastify';
import { DroverError } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type { RunView } from '../../contracts/node.js';
import type { CallContext, NodeLink } from '../clients/node-link.js';
import type { TaskLocator } from '../tasks/locate-task.js';
import { TaskTail } from './task-tail.js';

/** What tails are made from. */
export interface TaskTailsDeps {
  nodes: NodeLink;
  locator: TaskLocator;
  now: () => number;
  log: Pick<FastifyBaseLogger, 'warn' | 'debug'>;
  /** A task's first token has come by here. */
  onFirstToken?: (taskId: string) => void;
}

/** A reader's hold on a tail. */
export interface TailLease {
  tail: TaskTail;
  /** @param byReader - the reader went away, and is not being sent away */
  release: (byReader: boolean) => void;
}

/** The tails of this process. */
export interface TaskTails {
  /**
   * A tail with frames from `from` on.
   * @param nodeId - where the task is, if that is known already
   * @throws DroverError TASK_NOT_FOUND
   */
  lease(taskId: string, from: number, call: CallContext, nodeId?: string): Promise<TailLease>;
  /** The run as its node sees it now; undefined where there is none, or nobody can tell. */
  view(taskId: string, call: CallContext): Promise<RunView | undefined>;
  /** True when the task has ended and nothing of its log is left for a reader from `from` on. */
  isReadToTheEnd(taskId: string, from: number, call: CallContext): Promise<boolean>;
  /** Every frame of a task from its first on, where a reader here has it. */
  shown(taskId: string): readonly Frame[] | undefined;
  /** Resolves when the task's readers here have been given its closing frame, or after `limitMs`. */
  settled(taskId: string, limitMs: number): Promise<void>;
}

interface Held {
  tail: TaskTail;
  readers: number;
}

/** Holds no tail yet. */
export function createTaskTails(deps: TaskTailsDeps): TaskTails {
  const held = new Map<string, Held>();

  function hold(taskId: string, from: number, call: CallContext, nodeId?: string): Held {
    const present = held.get(taskId);
    if (present?.tail.failure === undefined && present?.tail.covers(from) === true) return present;
    const fresh = { tail: openTail(taskId, from, deps, call, nodeId), readers: 0 };
    held.set(taskId, fresh);
    return fresh;
  }

  return {
    async lease(taskId, from, call, nodeId) {
      const isKnown = held.has(taskId) || nodeId !== undefined;
      if (!isKnown && (await deps.locator.locate(taskId, call)) === undefined) {
        throw new DroverError('TASK_NOT_FOUND', 'there is no such task');
      }
      const entry = hold(taskId, from, call, nodeId);
      entry.readers += 1;
      const release = once((byReader: boolean) => {
        entry.readers -= 1;
        if (entry.readers > 0) return;
        entry.tail.stop();
        if (held.get(taskId) === entry) held.delete(taskId);
        if (byReader && !entry.tail.closed) void abandon(taskId, deps, call);
      });
      try {
        await entry.tail.opened;
      } catch (err) {
        release(false);
        throw err;
      }
      return { tail: entry.tail, release };
    },

    view: (taskId, call) => viewOf(taskId, deps, call),

    async isReadToTheEnd(taskId, from, call) {
      const view = await viewOf(taskId, deps, call).catch(unlessRefused);
      return view !== undefined && view.ended && from >= view.next_offset;
    },

    shown: (taskId) => held.get(taskId)?.tail.shown,

    settled(taskId, limitMs) {
      const tail = held.get(taskId)?.tail;
      return tail === undefined ? Promise.resolve() : overWithin(tail, limitMs);
    },
  };
}

function once(act: (byReader: boolean) => void): (byReader: boolean) => void {
  let isDone = false;
  return (byReader) => {
    if (isDone) return;
    isDone = true;
    act(byReader);
  };
}

/** Resolves when the tail has its closing frame or has given up, or after the limit. */
function overWithin(tail: TaskTail, limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(done, limitMs);
    const unwatch = tail.watch(look);
    look();

    function look(): void {
      if (tail.closed || tail.failure !== undefined) done();
    }
    function done(): void {
      clearTimeout(limit);
      unwatch();
      resolve();
    }
  });
}

/** The first connection goes where the task was last known; each later one asks again where it is. */
function openTail(taskId: string, from: number, deps: TaskTailsDeps, call: CallContext, nodeId?: string) {
  const { nodes, locator, now, log, onFirstToken } = deps;
  let first = nodeId === undefined ? undefined : { nodeId };
  return new TaskTail(
    {
      now,
      async connect(offset, signal, onPreparation) {
        const place = first ?? (await locator.locate(taskId, call));
        first = undefined;
        if (place === undefined) return undefined;
        const ask = { correlationId: call.correlationId, signal, onPreparation };
        try {
          const frames = await nodes.frames(place.nodeId, taskId, offset, ask);
          if (frames === undefined) locator.forget(taskId);
          return frames;
        } catch (err) {
          locator.forget(taskId);
          throw err;
        }
      },
      onFirstToken: () => onFirstToken?.(taskId),
      mayComeBack: () => locator.isOpen(taskId),
      onBreak(err, isFirst) {
        const said = { event: 'tail_broken', task_id: taskId, correlation_id: call.correlationId, err };
        log[isFirst ? 'warn' : 'debug'](said, 'the tail of a task broke, it is opened again');
      },
    },
    from,
  );
}

/** C-103: a task may have asked to be cancelled when nobody reads it any more; its node knows, and waits a while. */
async function abandon(taskId: string, { nodes, locator }: TaskTailsDeps, call: CallContext): Promise<void> {
  try {
    const place = await locator.locate(taskId, call);
    if (place !== undefined) await nodes.abandon(place.nodeId, taskId, call);
  } catch (err) {
    if (!(err instanceof DroverError)) throw err; // A node that is away cannot be told, and need not be.
  }
}

/** The run as its node sees it now; undefined where there is none. @throws DroverError where nobody can tell */
async function viewOf(
  taskId: string,
  { nodes, locator }: TaskTailsDeps,
  call: CallContext,
): Promise<RunView | undefined> {
  const place = await locator.locate(taskId, call);
  return place === undefined ? undefined : nodes.view(place.nodeId, taskId, call);
}

function unlessRefused(err: unknown): undefined {
  if (!(err instanceof DroverError)) throw err;
}
