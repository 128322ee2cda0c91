/** From a request in a client's words to its answer: the task is put on record, and its frames are told in these words. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DroverError } from '../../contracts/errors.js';
import type { Frame } from '../../contracts/events.js';
import type { Dialect, RunView } from '../../contracts/node.js';
import { taskId } from '../../contracts/task.js';
import { contextOf, type RequestContext } from '../request-context.js';
import type { TailLease, TaskTails } from '../relay/task-tails.js';
import type { AdmitTask, AskedTask } from '../tasks/admit-task.js';
import {
  allFrames,
  streamCompletion,
  wholeCompletion,
  type CompletionServer,
  type CompletionWish,
} from './serve-completion.js';
import { headOfView, taskIdOfCompletion, type ReaderPlace, type Words } from './words.js';

/** What answers are made with. */
export interface AnswerDeps extends CompletionServer {
  tails: TaskTails;
  admitTask: AdmitTask;
}

/** How one request wants its answer. */
export interface AnswerWish<Whole> {
  words: Words<Whole>;
  stream: boolean;
  place: ReaderPlace | undefined;
}

/** A completion that is there already. */
export interface KnownCompletion {
  view: RunView;
  dialect: Dialect;
}

/** Answers of an API. */
export class CompletionAnswers {
  constructor(private readonly deps: AnswerDeps) {}

  /** Puts the task on record and answers with its completion. */
  async ofNew(task: AskedTask, how: AnswerWish<unknown>, request: FastifyRequest, reply: FastifyReply) {
    const context = contextOf(request);
    const { dialect } = task;
    if (dialect === undefined) throw new TypeError('a completion has a dialect');
    const lease = await admitAndFollow(this.deps, task, context);
    const taskId = task.request.task_id;
    const early =
      how.stream && how.words.foretold !== undefined ? this.earlyHead(taskId, dialect, context) : undefined;
    return this.answer(lease, { ...how, taskId, dialect, early: await early }, reply, context);
  }

  /**
   * Answers with a completion that is there already.
   * @throws DroverError TASK_NOT_FOUND for one of other words too: its body could not be told in these
   */
  async ofKnown(
    id: string,
    object: Dialect['object'],
    how: AnswerWish<unknown>,
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    const context = contextOf(request);
    const { view, dialect } = await this.find(taskIdOfCompletion(id), object, context);
    const taskId = view.task_id;
    const lease = await this.deps.tails.lease(taskId, 0, context);
    const early = how.words.foretold === undefined ? undefined : headOfView(view, dialect);
    return this.answer(lease, { ...how, taskId, dialect, early }, reply, context);
  }

  /** A completion that is there. @throws DroverError TASK_NOT_FOUND for one of other words too */
  async find(
    task: string | undefined,
    object: Dialect['object'],
    context: RequestContext,
  ): Promise<KnownCompletion> {
    const view =
      task !== undefined && taskId.safeParse(task).success
        ? await this.deps.tails.view(task, context)
        : undefined;
    const dialect = view?.dialect;
    if (view === undefined || dialect?.object !== object)
      throw new DroverError('TASK_NOT_FOUND', 'there is no such completion');
    return { view, dialect };
  }

  /** What is told before the first frame waits for nothing but the node's word; without that it comes with the frame. */
  private async earlyHead(taskId: string, dialect: Dialect, context: RequestContext) {
    try {
      const view = await this.deps.tails.view(taskId, context);
      return view === undefined ? undefined : headOfView(view, dialect);
    } catch (err) {
      if (err instanceof DroverError) return undefined;
      throw err;
    }
  }

  private async answer(
    lease: TailLease,
    wish: CompletionWish<unknown> & { stream: boolean },
    reply: FastifyReply,
    context: RequestContext,
  ) {
    // By it a client finds the task on `/v2`, before the first chunk has come.
    void reply.header('x-task-id', wish.taskId);
    if (!wish.stream) return reply.send(await wholeCompletion(lease, wish, reply));
    streamCompletion(this.deps, lease, wish, reply, context);
    return reply;
  }
}

/** Puts the task on record and waits for its end, for an answer that is never streamed. @returns all of its frames */
export async function framesOfNew(
  deps: Pick<AnswerDeps, 'tails' | 'admitTask'>,
  task: AskedTask,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<readonly Frame[]> {
  void reply.header('x-task-id', task.request.task_id);
  return allFrames(await admitAndFollow(deps, task, contextOf(request)), reply);
}

/** The frames are asked for while the task is put on record, so that the first token waits for nothing else. */
async function admitAndFollow(
  { tails, admitTask }: Pick<AnswerDeps, 'tails' | 'admitTask'>,
  task: AskedTask,
  context: RequestContext,
): Promise<TailLease> {
  const { task_id } = task.request;
  const early: Promise<TailLease | undefined>[] = []; // One that failed is asked for again, when there is a task.
  try {
    await admitTask(task, context, (nodeId) => {
      early.push(tails.lease(task_id, 0, context, nodeId).catch(() => undefined));
    });
  } catch (err) {
    for (const lease of early) void lease.then((held) => held?.release(false));
    throw err;
  }
  return (await early[0]) ?? tails.lease(task_id, 0, context);
}
