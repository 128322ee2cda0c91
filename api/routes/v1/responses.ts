/** OpenAI's responses: the same durable tasks, with a life of their own in the background, resumable by the number of an event. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { response, responsesRequest } from '../../../contracts/responses.js';
import { lookupId } from '../../../contracts/safe-text.js';
import { completionHeaders, placeOf, wishesOf } from '../../completions/caller-wishes.js';
import { ResponseAnswers, type ResponseDeps } from '../../responses/answer-response.js';
import { eventStream } from '../event-stream.js';
import { openAiRefusals } from '../refusals.js';
import { countRefusals, type CompletionRoutesOptions } from './completions.js';

/** What the response routes call. */
export type ResponseRoutesOptions = CompletionRoutesOptions & Pick<ResponseDeps, 'cancelTask'>;

const params = z.object({ id: lookupId(160) });

const query = z.object({
  stream: z.enum(['true', 'false']).default('false'),
  starting_after: z
    .string()
    .regex(/^\d{1,15}$/, 'must be the sequence number of an event')
    .transform(Number)
    .optional()
    .meta({
      description: 'With `stream=true`: the stream goes on after the event with this sequence number.',
    }),
});

const streamed = {
  200: {
    description: 'The response, or its events when `stream` is true',
    content: { 'application/json': { schema: response }, ...eventStream },
  },
};

/** `POST /v1/responses`, and what is asked of one later. */
export const responseRoutes: FastifyPluginCallbackZod<ResponseRoutesOptions> = (app, options, done) => {
  const responses = new ResponseAnswers({ app, ...options });

  app.post(
    '/v1/responses',
    {
      config: { role: 'client' },
      onError: countRefusals(options),
      schema: {
        summary: 'Create a response',
        description: 'One in the background is answered at once, and runs whether or not anybody reads it.',
        tags: ['openai'],
        headers: completionHeaders,
        body: responsesRequest,
        response: { ...streamed, ...openAiRefusals(400, 404, 409, 413, 415, 429, 502, 503, 504) },
      },
    },
    (request, reply) => {
      const wishes = wishesOf(request, request.headers, options);
      return responses.begin(request.body, wishes, placeOf(request.headers), request, reply);
    },
  );

  app.get(
    '/v1/responses/:id',
    {
      config: { role: 'client' },
      exposeHeadRoute: false,
      schema: {
        summary: 'A response as it stands, or its stream again',
        tags: ['openai'],
        params,
        querystring: query,
        headers: completionHeaders,
        response: { ...streamed, ...openAiRefusals(400, 404, 502, 503) },
      },
    },
    (request, reply) => {
      const { stream, starting_after: sequence } = request.query;
      if (stream === 'false') return responses.read(request.params.id, request, reply);
      const place = sequence === undefined ? placeOf(request.headers) : { sequence };
      return responses.stream(request.params.id, place, request, reply);
    },
  );

  app.post(
    '/v1/responses/:id/cancel',
    {
      config: { role: 'client' },
      schema: {
        summary: 'Cancel a response in the background',
        description: 'Answers with the response as it ended; again, or after its end, it changes nothing.',
        tags: ['openai'],
        params,
        response: { 200: response, ...openAiRefusals(400, 404, 413, 415, 502, 503) },
      },
    },
    (request, reply) => responses.cancel(request.params.id, request, reply),
  );
  done();
};
