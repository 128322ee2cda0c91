/** Reranking in the words of Jina, Cohere, llama-server and vLLM: a durable task, whose scores are one answer. */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { ranking, rerankRequest } from '../../../contracts/rerank.js';
import { framesOfNew } from '../../completions/answer-task.js';
import { inputHeaders, wishesOf } from '../../completions/caller-wishes.js';
import { rankingOf } from '../../openai/inputs-answer.js';
import { rerankTask, textsOf } from '../../openai/inputs-task.js';
import { openAiRefusals } from '../refusals.js';
import { countRefusals, type CompletionRoutesOptions } from './completions.js';

/** `POST /v1/rerank`. */
export const rerankRoutes: FastifyPluginCallbackZod<CompletionRoutesOptions> = (app, options, done) => {
  app.post(
    '/v1/rerank',
    {
      config: { role: 'client' },
      onError: countRefusals(options),
      schema: {
        summary: 'Documents by how well they fit a query',
        description: 'Needs an engine that does reranking. The header `X-Task-Id` names the task.',
        tags: ['openai'],
        headers: inputHeaders,
        body: rerankRequest,
        response: { 200: ranking, ...openAiRefusals(400, 404, 409, 413, 415, 429, 502, 503, 504) },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const task = rerankTask(body, wishesOf(request, request.headers, options));
      const frames = await framesOfNew(options, task, request, reply);
      const documents = body.return_documents === true ? textsOf(body) : undefined;
      return rankingOf(frames, `rerank-${task.request.task_id}`, {
        topN: body.top_n ?? undefined,
        documents,
      });
    },
  );
  done();
};
