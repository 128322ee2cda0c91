/** OpenAI's completions: the same durable tasks in OpenAI's words, resumable after any chunk (design §7). */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { chatCompletion, chatRequest, completionRequest, textCompletion } from '../../../contracts/openai.js';
import { lookupId } from '../../../contracts/safe-text.js';
import { CompletionAnswers, type AnswerDeps } from '../../completions/answer-task.js';
import {
  completionHeaders,
  placeOf,
  wishesOf,
  type CompletionHeaders,
} from '../../completions/caller-wishes.js';
import { openaiWords } from '../../openai/chunks.js';
import { chatTask, completionTask } from '../../openai/to-task.js';
import type { CountRefusal } from '../../tasks/count-refusal.js';
import { eventStream } from '../event-stream.js';
import { openAiRefusals } from '../refusals.js';

/** What the completion routes call. */
export interface CompletionRoutesOptions extends Omit<AnswerDeps, 'app'> {
  maxOutputTokens: number;
  countRefusal: CountRefusal;
}

const KINDS = ['chat/completions', 'completions'] as const;
type Kind = (typeof KINDS)[number];
/** What each kind's answers call themselves. */
const OBJECTS = {
  'chat/completions': 'chat.completion',
  completions: 'text_completion',
} as const;

const answers = <T extends z.ZodType>(schema: T) => ({
  200: {
    description: 'The completion, or its chunks when `stream` is true, ended by `[DONE]`',
    content: { 'application/json': { schema }, ...eventStream },
  },
  ...openAiRefusals(400, 404, 409, 413, 415, 429, 502, 503, 504),
});

/** `POST /v1/chat/completions`, `POST /v1/completions`, and what resumes them. */
export const completionRoutes: FastifyPluginCallbackZod<CompletionRoutesOptions> = (app, options, done) => {
  const answerOf = new CompletionAnswers({ app, ...options });
  const onError = countRefusals(options);

  app.post(
    '/v1/chat/completions',
    {
      config: { role: 'client' },
      onError,
      schema: {
        summary: 'Complete a chat',
        tags: ['openai'],
        headers: completionHeaders,
        body: chatRequest,
        response: answers(chatCompletion),
      },
    },
    (request, reply) => {
      const task = chatTask(request.body, wishesOf(request, request.headers, options));
      return answerOf.ofNew(task, howOf('chat/completions', request), request, reply);
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
        headers: completionHeaders,
        body: completionRequest,
        response: answers(textCompletion),
      },
    },
    (request, reply) => {
      const task = completionTask(request.body, wishesOf(request, request.headers, options));
      return answerOf.ofNew(task, howOf('completions', request), request, reply);
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
          params: z.object({ id: lookupId(160) }),
          querystring: z.object({ stream: z.enum(['true', 'false']).default('false') }),
          headers: completionHeaders,
          response: answers(kind === 'completions' ? textCompletion : chatCompletion),
        },
      },
      (request, reply) => {
        const stream = request.query.stream === 'true';
        const how = howOf(kind, { headers: request.headers, body: { stream } });
        return answerOf.ofKnown(request.params.id, OBJECTS[kind], how, request, reply);
      },
    );
  }
  done();
};

/** Counts what a caller with a key is refused. */
export function countRefusals({ countRefusal }: Pick<CompletionRoutesOptions, 'countRefusal'>) {
  return (request: FastifyRequest, _reply: FastifyReply, err: Error, next: () => void) => {
    if (request.identity !== null) countRefusal(err, request.body);
    next();
  };
}

function howOf(
  kind: Kind,
  { headers: given, body }: { headers: CompletionHeaders; body: { stream?: boolean | null } },
) {
  return { words: openaiWords(OBJECTS[kind]), stream: body.stream === true, place: placeOf(given) };
}
