/** Tasks: admit, read, cancel (data-plane 1, 4, 11). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { taskAccepted, taskId, taskRequest, taskStatus } from '../../../contracts/task.js';
import { contextOf } from '../../request-context.js';
import { textTask, type AdmitTask } from '../../tasks/admit-task.js';
import { budgetHeaders } from '../../tasks/budget-headers.js';
import type { SessionBook } from '../../sessions/session-book.js';
import type { CancelTask } from '../../tasks/cancel-task.js';
import { taskValidator, type TaskLimits } from '../../tasks/check-task.js';
import type { CountRefusal } from '../../tasks/count-refusal.js';
import type { ReadTaskStatus } from '../../tasks/task-status.js';
import { refusals } from '../refusals.js';

/** What the task routes call. */
export interface TaskRoutesOptions {
  limits: TaskLimits;
  admitTask: AdmitTask;
  readTaskStatus: ReadTaskStatus;
  cancelTask: CancelTask;
  sessionBook: Pick<SessionBook, 'budgets'>;
  countRefusal: CountRefusal;
}

const params = z.object({ id: taskId });

/** `POST /v2/tasks`, `GET /v2/tasks/:id`, `POST /v2/tasks/:id/cancel`. */
export const taskRoutes: FastifyPluginCallbackZod<TaskRoutesOptions> = (app, options, done) => {
  app.post(
    '/v2/tasks',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'admitTask',
        summary: 'Admit a task',
        description:
          'Answers when the task is on record. The same request again gets the same answer; another body under the same task_id is refused.',
        tags: ['tasks'],
        body: taskRequest,
        response: { 202: taskAccepted, ...refusals(400, 404, 409, 410, 413, 415, 429, 503) },
      },
      validatorCompiler: taskValidator(options.limits),
      onError: (request, _reply, err, next) => {
        if (request.identity !== null) options.countRefusal(err, request.body);
        next();
      },
    },
    async (request, reply) => {
      const admission = await options.admitTask(textTask(request.body), contextOf(request));
      const { task_id } = request.body;
      const sse = `/v2/tasks/${task_id}/events`;
      return reply
        .code(202)
        .headers(budgetHeaders(await options.sessionBook.budgets(request.body)))
        .send({ task_id, ...admission, streams: { sse, sse_verbose: `${sse}?verbose=true` } });
    },
  );

  app.get(
    '/v2/tasks/:id',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'readTask',
        summary: "A task's state",
        tags: ['tasks'],
        params,
        response: { 200: taskStatus, ...refusals(400, 404, 503) },
      },
    },
    (request) => options.readTaskStatus(request.params.id, contextOf(request)),
  );

  app.post(
    '/v2/tasks/:id/cancel',
    {
      config: { role: 'client' },
      schema: {
        operationId: 'cancelTask',
        summary: 'Cancel a task',
        description: 'Answers when its slot is free. Cancelling again, or after the end, changes nothing.',
        tags: ['tasks'],
        params,
        response: {
          204: z.undefined().meta({ description: 'Cancelled, or ended before' }),
          ...refusals(400, 404, 503),
        },
      },
    },
    async (request, reply) => {
      await options.cancelTask(request.params.id, contextOf(request));
      return reply.code(204).send();
    },
  );
  done();
};
