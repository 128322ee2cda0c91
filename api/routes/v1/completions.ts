/** OpenAI's completions: the same durable tasks in OpenAI's words, resumable after any chunk (design §7). */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DroverError } from '../../../contracts/errors.js';
import type { Dialect } from '../../../contracts/node.js';
import { chatCompletion, chatRequest, completionRequest, textCompletion } from '../../../contracts/openai.js';
import { taskId } from '../../../contracts/task.js';
import { parsePlace, taskIdOfCompletion, type ChunkPlace } from '../../openai/chunks.js';
import {
  streamCompletion,
  wholeCompletion,
  type CompletionServer,
  type CompletionWish,
} from '../../openai/serve-completion.js';
import { chatTask, completionTask, type CallerWishes } from '../../openai/to-task.js';
import { contextOf, type RequestContext } from '../../request-context.js';
import type { TailLease, TaskTails } from '../../relay/task-tails.js';
import type { AdmitTask, AskedTask } from '../../tasks/admit-task.js';
import type { CountRefusal } from '../../tasks/count-refusal.js';
import { eventStream } from '../event-stream.js';
import { openAiRefusals } from '../refusals.js';

/** What the completion routes call. */
export interface CompletionRoutesOptions extends Omit<CompletionServer, 'app'> {
  tails: TaskTails;
  maxOutputTokens: number;
  admitTask: AdmitTask;
  countRefusal: CountRefusal;
}

const headers = z.looseObject({
  'idempotency-key': z.string().min(1).max(256).optional().meta({
    description: 'The same key and body are one task; its stream is not cancelled when readers leave.',
  }),
  'x-session-id': taskId.optional(),
  'last-event-id': z
    .string()
    .refine((text) => parsePlace(text) !== undefined, 'must be the id of an event')
    .optional()
    .meta({ description: 'Last chunk that the reader has; the stream goes on after it.' }),
});
type Headers = z.infer<typeof headers>;

const KINDS = ['chat/completions', 'completions'] as const;
type Kind = (typeof KINDS)[number];
/** What each kind's answers call themselves. */
const OBJECTS: Record<Kind, Dialect['object']> = {
  'chat/completions': 'chat.completion',
  completions: 'text_completion',
};

const answers = <T extends z.ZodType>(schema: T) => ({
  200: {
    description: 'The completion, or its chunks when `stream` is true, ended by `[DONE]`',
    content: { 'application/json': { schema }, ...eventStream },
  },
  ...openAiRefusals(400, 404, 409, 413, 415, 429, 502, 503, 504),
});

/** `POST /v1/chat/completions`, `POST /v1/completions`, and what resumes them. */
export const completionRoutes: FastifyPluginCallbackZod<CompletionRoutesOptions> = (app, options, done) => {
  const server: CompletionServer = { app, onDrop: options.onDrop };
  const onError = (request: FastifyRequest, _reply: FastifyReply, err: Error, next: () => void) => {
    if (request.identity !== null) options.countRefusal(err, request.body);
    next();
  };

  app.post(
    '/v1/chat/completions',
    {
      config: { role: 'client' },
      onError,
      schema: {
        summary: 'Complete a chat',
        tags: ['openai'],
        headers,
        body: chatRequest,
        response: answers(chatCompletion),
      },
    },
    (request, reply) => {
      const task = chatTask(request.body, wishesOf(request, request.headers));
      return serve(task, request.body.stream === true, request, reply);
    },
  );

  app.post(
    '/v1/completions',
    {
      config: { role: 'client' },
      onError,
      schema: {
        summary: 'Complete a text',
        tags: ['openai'],
        headers,
        body: completionRequest,
        response: answers(textCompletion),
      },
    },
    (request, reply) => {
      const task = completionTask(request.body, wishesOf(request, request.headers));
      return serve(task, request.body.stream === true, request, reply);
    },
  );

  for (const kind of KINDS) {
    app.get(
      `/v1/${kind}/:id`,
      {
        config: { role: 'client' },
        exposeHeadRoute: false,
        schema: {
          summary: 'A completion again, from its run log',
          description: 'With `stream=true` and `Last-Event-ID` its stream goes on where the reader left off.',
          tags: ['openai'],
          params: z.object({ id: z.string().max(160) }),
          querystring: z.object({ stream: z.enum(['true', 'false']).default('false') }),
          headers,
          response: answers(kind === 'completions' ? textCompletion : chatCompletion),
        },
      },
      async (request, reply) => {
        const context = contextOf(request);
        const { task_id, dialect } = await knownRun(request.params.id, kind, context);
        const wish = { taskId: task_id, dialect, place: placeOf(request.headers) };
        const lease = await options.tails.lease(task_id, 0, context);
        return answer(lease, wish, request.query.stream === 'true', reply, context);
      },
    );
  }
  done();

  async function serve(task: AskedTask, stream: boolean, request: FastifyRequest, reply: FastifyReply) {
    const context = contextOf(request);
    const { dialect } = task;
    if (dialect === undefined) throw new TypeError('a completion has a dialect');
    const lease = await admitAndFollow(task, context);
    const wish = { taskId: task.request.task_id, dialect, place: placeOf(request.headers) };
    return answer(lease, wish, stream, reply, context);
  }

  /** The frames are asked for while the task is put on record, so that the first token waits for nothing else. */
  async function admitAndFollow(task: AskedTask, context: RequestContext): Promise<TailLease> {
    const { task_id } = task.request;
    const early: Promise<TailLease | undefined>[] = []; // One that failed is asked for again, when there is a task.
    try {
      await options.admitTask(task, context, (nodeId) => {
        early.push(options.tails.lease(task_id, 0, context, nodeId).catch(() => undefined));
      });
    } catch (err) {
      for (const lease of early) void lease.then((held) => held?.release(false));
      throw err;
    }
    return (await early[0]) ?? options.tails.lease(task_id, 0, context);
  }

  async function answer(
    lease: TailLease,
    wish: CompletionWish,
    stream: boolean,
    reply: FastifyReply,
    context: RequestContext,
  ) {
    if (!stream) return reply.send(await wholeCompletion(lease, wish, reply));
    streamCompletion(server, lease, wish, reply, context);
    return reply;
  }

  function wishesOf({ identity }: FastifyRequest, given: Headers): CallerWishes {
    return {
      idempotencyKey: given['idempotency-key'],
      sessionId: given['x-session-id'],
      identity,
      maxOutputTokens: options.maxOutputTokens,
    };
  }

  /** A completion of the other kind is none here: its body could not be told in this one's words. */
  async function knownRun(id: string, kind: Kind, context: RequestContext) {
    const task = taskIdOfCompletion(id);
    const view =
      task !== undefined && taskId.safeParse(task).success
        ? await options.tails.view(task, context)
        : undefined;
    const dialect = view?.dialect;
    if (view === undefined || dialect?.object !== OBJECTS[kind])
      throw new DroverError('TASK_NOT_FOUND', 'there is no such completion');
    return { task_id: view.task_id, dialect };
  }
};

function placeOf(given: Headers): ChunkPlace | undefined {
  const last = given['last-event-id'];
  return last === undefined ? undefined : parsePlace(last);
}
