/** A task's events over SSE: from the start, or from where a reader left off (data-plane 3). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { taskId } from '../../../contracts/task.js';
import type { Metrics } from '../../../telemetry/metrics.js';
import { relayTask } from '../../relay/relay-task.js';
import { sseError, sseFrame, ssePreparation } from '../../relay/sse-frame.js';
import type { TaskTails } from '../../relay/task-tails.js';
import { contextOf } from '../../request-context.js';
import { budgetHeaders } from '../../tasks/budget-headers.js';
import { eventStream } from '../event-stream.js';
import { refusals } from '../refusals.js';

/** What the stream route uses. */
export interface TaskEventsOptions {
  tails: TaskTails;
  metrics: Metrics;
  /** As `RelayOptions` has it. */
  gatherMs: number;
}

/** An offset of the log, as its frames' `id:` has it. */
const offset = z
  .string()
  .regex(/^\d{1,15}$/, 'must be the id of an event')
  .transform(Number);

const query = z.object({
  from: offset.optional().meta({ description: 'first event that is wanted, by its id' }),
  verbose: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: '`true` adds phase and words to metrics events' }),
});

const headers = z.looseObject({
  'last-event-id': offset.optional().meta({
    description: 'last event that the reader has; stands above `from`, as a reconnecting browser needs it',
  }),
});

const DESCRIPTION = `Frames \`started\`, \`token\`, \`metrics\`, \`end\` and \`error\`, each with \`id:\`, the offset that a reader resumes
after by \`Last-Event-ID\`; their \`data\` is a \`StartedFrame\`, \`TokenFrame\`, \`MetricsFrame\`, \`EndFrame\` or \`Error\`. Before \`started\`, \`metrics\` without an id tell by \`prep\` how far a pool is that wakes for the task. The stream ends with exactly one \`end\` or \`error\`. It may be opened at any time and by any number of readers.`;

/** `GET /v2/tasks/:id/events`. */
export const taskEventRoutes: FastifyPluginCallbackZod<TaskEventsOptions> = (
  app,
  { tails, metrics, gatherMs },
  done,
) => {
  app.get(
    '/v2/tasks/:id/events',
    {
      config: { role: 'client' },
      exposeHeadRoute: false,
      schema: {
        operationId: 'streamTask',
        summary: "A task's events",
        description: DESCRIPTION,
        tags: ['tasks'],
        params: z.object({ id: taskId }),
        querystring: query,
        headers,
        response: {
          200: { description: 'The events', content: eventStream },
          204: z.undefined().meta({ description: 'The task has ended and the reader has had every event' }),
          ...refusals(400, 404, 503),
        },
      },
    },
    async (request, reply) => {
      const context = contextOf(request);
      const { id } = request.params;
      const last = request.headers['last-event-id'];
      const from = last === undefined ? (request.query.from ?? 0) : last + 1;
      if (from > 0 && (await tails.isReadToTheEnd(id, from, context))) return reply.code(204).send();
      const { tail, release } = await tails.lease(id, from, context);
      try {
        const stream = app.openEventStream(reply, budgetHeaders(tail.budgets));
        stream.onClose(release);
        relayTask(tail, stream, {
          from,
          render: (frame) => sseFrame(frame, request.query.verbose === 'true'),
          renderPreparation: (figures) => ssePreparation(figures, request.query.verbose === 'true'),
          renderFailure: (failure) => sseError(failure.toEnvelope(request.id)),
          onDrop: (type) => metrics.streamDrops.inc({ event_type: type }),
          gatherMs,
        });
      } catch (err) {
        release(false);
        throw err;
      }
      return reply;
    },
  );
  done();
};
