/** Which request is answered by what. */
import { answerChat, answerOpenAiCompletion } from './openai-routes.js';
import { answerCompletion } from './completion-route.js';
import { answerEmbeddings, refuseRerank } from './embedding-routes.js';
import type { Exchange } from './http-exchange.js';
import type { Engine } from './load-engine.js';
import { answerMetrics, answerModels, answerProps, answerSlots } from './model-routes.js';
import { answerApplyTemplate, answerDetokenize, answerTokenize } from './text-routes.js';

/** Answers a request. */
export type Handler = (engine: Engine, exchange: Exchange) => Promise<void> | void;

const ROUTES: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['GET /props', answerProps],
  ['GET /slots', answerSlots],
  ['GET /metrics', answerMetrics],
  ['GET /models', answerModels],
  ['GET /v1/models', answerModels],
  ['POST /completion', answerCompletion],
  ['POST /completions', answerCompletion],
  ['POST /tokenize', answerTokenize],
  ['POST /detokenize', answerDetokenize],
  ['POST /apply-template', answerApplyTemplate],
  ['POST /v1/completions', answerOpenAiCompletion],
  ['POST /chat/completions', answerChat],
  ['POST /v1/chat/completions', answerChat],
  ['POST /v1/embeddings', answerEmbeddings],
  ['POST /embeddings', answerEmbeddings],
  ['POST /v1/rerank', refuseRerank],
  ['POST /rerank', refuseRerank],
]);

/** The handler for a request, if there is one. */
export function findHandler(method: string, path: string): Handler | undefined {
  return ROUTES.get(`${method} ${path}`);
}
