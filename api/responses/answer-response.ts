/** What clients ask of responses: to begin one, to see how it stands, to go on with its stream, to cancel it. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DroverError } from '../../contracts/errors.js';
import type { SaidItem } from '../../contracts/response-items.js';
import type { ResponseObject, ResponsesRequest } from '../../contracts/responses.js';
import type { CallerWishes } from '../completions/completion-task.js';
import { CompletionAnswers, type AnswerDeps, type KnownCompletion } from '../completions/answer-task.js';
import { allFrames } from '../completions/serve-completion.js';
import { headOfView, taskIdOfCompletion, type ReaderPlace } from '../completions/words.js';
import { contextOf } from '../request-context.js';
import type { CancelTask } from '../tasks/cancel-task.js';
import { endedResponse, placeOfCall, responseObject, taskIdOfMessage } from './response-object.js';
import { responseWords } from './response-events.js';
import { responseTask } from './to-task.js';
import { turnsOf } from './turns.js';

/** What responses are answered with. */
export interface ResponseDeps extends AnswerDeps {
  cancelTask: CancelTask;
}

const OBJECT = 'response';

/** Responses of an API. */
export class ResponseAnswers {
  private readonly answers: CompletionAnswers;

  constructor(private readonly deps: ResponseDeps) {
    this.answers = new CompletionAnswers(deps);
  }

  /** Puts the response on record, and answers with it or its stream; one in the background as soon as it is accepted. */
  async begin(
    body: ResponsesRequest,
    wishes: CallerWishes,
    place: ReaderPlace | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    const task = responseTask(body, turnsOf(await this.itemsOf(body.input, request, reply)), wishes);
    const stream = body.stream === true;
    if (stream || body.background !== true)
      return this.answers.ofNew(task, { words: responseWords, stream, place }, request, reply);
    await this.deps.admitTask(task, contextOf(request));
    return reply.send(await this.standing(task.request.task_id, request, reply));
  }

  /** The response as it stands. @throws DroverError TASK_NOT_FOUND */
  async read(id: string, request: FastifyRequest, reply: FastifyReply) {
    return reply.send(await this.standing(taskIdOfCompletion(id), request, reply));
  }

  /** Its stream, from `place` on. @throws DroverError TASK_NOT_FOUND */
  stream(id: string, place: ReaderPlace | undefined, request: FastifyRequest, reply: FastifyReply) {
    return this.answers.ofKnown(id, OBJECT, { words: responseWords, stream: true, place }, request, reply);
  }

  /**
   * Cancels a response in the background; one that has ended stays as it is.
   * @throws DroverError TASK_NOT_FOUND; INVALID_PARAMS for one that its caller waits for
   */
  async cancel(id: string, request: FastifyRequest, reply: FastifyReply) {
    const context = contextOf(request);
    const taskId = taskIdOfCompletion(id);
    const { view, dialect } = await this.answers.find(taskId, OBJECT, context);
    if (dialect.response?.background !== true)
      throw new DroverError('INVALID_PARAMS', 'only a response in the background can be cancelled');
    if (!view.ended) await this.deps.cancelTask(view.task_id, context);
    return reply.send(await this.standing(taskId, request, reply));
  }

  private async standing(
    taskId: string | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<ResponseObject> {
    const known = await this.answers.find(taskId, OBJECT, contextOf(request));
    const { view } = known;
    const head = headOf(known);
    if (view.ended) return endedResponse(await this.framesOf(known, request, reply), head);
    return responseObject(head, { status: view.state === 'queued' ? 'queued' : 'in_progress' });
  }

  /** Whoever reads one that has ended keeps nobody waiting, and is no reader whose leaving means anything. */
  private async framesOf({ view }: KnownCompletion, request: FastifyRequest, reply: FastifyReply) {
    return allFrames(await this.deps.tails.lease(view.task_id, 0, contextOf(request)), reply);
  }

  private async itemsOf(
    input: ResponsesRequest['input'],
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<SaidItem[]> {
    if (typeof input === 'string') return [{ role: 'user', content: input }];
    const items: SaidItem[] = [];
    for (const item of input)
      items.push(item.type === 'item_reference' ? await this.itemNamed(item.id, request, reply) : item);
    return items;
  }

  /** Clients name an item of an earlier response by its id instead of sending it again. */
  private async itemNamed(id: string, request: FastifyRequest, reply: FastifyReply): Promise<SaidItem> {
    const taskId = taskIdOfMessage(id) ?? placeOfCall(id)?.taskId;
    try {
      const known = await this.answers.find(taskId, OBJECT, contextOf(request));
      if (!known.view.ended) throw notReferable(id, 'has not ended yet');
      const { output } = endedResponse(await this.framesOf(known, request, reply), headOf(known));
      const found = output.find((item) => item.id === id);
      if (found === undefined) throw notReferable(id, 'is not kept');
      return found;
    } catch (err) {
      if (err instanceof DroverError && err.code === 'TASK_NOT_FOUND') throw notReferable(id, 'is not kept');
      throw err;
    }
  }
}

function headOf({ view, dialect }: KnownCompletion) {
  return headOfView(view, dialect);
}

function notReferable(id: string, what: string): DroverError {
  const problem = `the item ${id} ${what}`;
  return new DroverError('INVALID_PARAMS', problem, { details: [{ field: 'input', problem }] });
}
