/** OpenAI's embeddings: a durable task, whose vectors are one answer. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { embeddingList, embeddingRequest } from '../../../contracts/embeddings.js';
import { framesOfNew } from '../../completions/answer-task.js';
import { inputHeaders, wishesOf } from '../../completions/caller-wishes.js';
import { embeddingListOf } from '../../openai/inputs-answer.js';
import { embeddingTask } from '../../openai/inputs-task.js';
import { openAiRefusals } from '../refusals.js';
import { countRefusals, type CompletionRoutesOptions } from './completions.js';

/** `POST /v1/embeddings`. */
export const embeddingRoutes: FastifyPluginCallbackZod<CompletionRoutesOptions> = (app, options, done) => {
  app.post(
    '/v1/embeddings',
    {
      config: { role: 'client' },
      onError: countRefusals(options),
      schema: {
        summary: 'Vectors of texts',
        description: 'Needs an engine that does embeddings. The header `X-Task-Id` names the task.',
        tags: ['openai'],
        headers: inputHeaders,
        body: embeddingRequest,
        response: { 200: embeddingList, ...openAiRefusals(400, 404, 409, 413, 415, 429, 502, 503, 504) },
      },
    },
    async (request, reply) => {
      const task = embeddingTask(request.body, wishesOf(request, request.headers, options));
      const frames = await framesOfNew(options, task, request, reply);
      return embeddingListOf(frames, request.body.encoding_format ?? 'float');
    },
  );
  done();
};
