/** Anthropic's messages: the same durable tasks in Anthropic's words, whole and streamed, resumable after any event. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  countTokensRequest,
  messagesRequest,
  messageTokens,
  wholeMessage,
} from '../../../contracts/anthropic.js';
import { lookupId } from '../../../contracts/safe-text.js';
import type { CountTokens } from '../../anthropic/count-tokens.js';
import { anthropicWords } from '../../anthropic/message-events.js';
import { messageTask } from '../../anthropic/to-task.js';
import { CompletionAnswers } from '../../completions/answer-task.js';
import { completionHeaders, placeOf, wishesOf } from '../../completions/caller-wishes.js';
import { contextOf } from '../../request-context.js';
import { eventStream } from '../event-stream.js';
import { anthropicRefusals } from '../refusals.js';
import { countRefusals, type CompletionRoutesOptions } from './completions.js';

const answers = {
  200: {
    description: 'The message, or its events when `stream` is true',
    content: { 'application/json': { schema: wholeMessage }, ...eventStream },
  },
  ...anthropicRefusals(400, 404, 409, 413, 415, 429, 502, 503, 504),
};

/** What the message routes call. */
export interface MessageRoutesOptions extends CompletionRoutesOptions {
  countTokens: CountTokens;
}

/** `POST /v1/messages`, what counts its tokens, and what resumes one. */
export const messageRoutes: FastifyPluginCallbackZod<MessageRoutesOptions> = (app, options, done) => {
  const answerOf = new CompletionAnswers({ app, ...options });

  app.post(
    '/v1/messages',
    {
      config: { role: 'client' },
      onError: countRefusals(options),
      schema: {
        summary: 'Create a message',
        tags: ['anthropic'],
        headers: completionHeaders,
        body: messagesRequest,
        response: answers,
      },
    },
    (request, reply) => {
      const task = messageTask(request.body, wishesOf(request, request.headers, options));
      const stream = request.body.stream === true;
      const how = { words: anthropicWords, stream, place: placeOf(request.headers) };
      return answerOf.ofNew(task, how, request, reply);
    },
  );

  app.post(
    '/v1/messages/count_tokens',
    {
      config: { role: 'client' },
      onError: countRefusals(options),
      schema: {
        summary: 'Count the tokens of a message',
        description:
          "Counted by the engine's own template and vocabulary; one that takes text alone has none to tell.",
        tags: ['anthropic'],
        headers: completionHeaders,
        body: countTokensRequest,
        response: { 200: messageTokens, ...anthropicRefusals(400, 404, 409, 413, 415, 503) },
      },
    },
    async (request) => {
      const wishes = wishesOf(request, request.headers, options);
      return { input_tokens: await options.countTokens(request.body, wishes, contextOf(request)) };
    },
  );

  app.get(
    '/v1/messages/:id',
    {
      config: { role: 'client' },
      exposeHeadRoute: false,
      schema: {
        summary: 'A message again, from its run log',
        description: 'With `stream=true` and `Last-Event-ID` its stream goes on where the reader left off.',
        tags: ['anthropic'],
        params: z.object({ id: lookupId(160) }),
        querystring: z.object({ stream: z.enum(['true', 'false']).default('false') }),
        headers: completionHeaders,
        response: answers,
      },
    },
    (request, reply) => {
      const stream = request.query.stream === 'true';
      const how = { words: anthropicWords, stream, place: placeOf(request.headers) };
      return answerOf.ofKnown(request.params.id, 'message', how, request, reply);
    },
  );
  done();
};
