/** A request for vectors or scores as a task: the same durable task as on `/v2`. */
import type { EmbeddingRequest } from '../../contracts/embeddings.js';
import type { EmbeddingInput, RerankInput } from '../../contracts/node.js';
import type { RerankRequest } from '../../contracts/rerank.js';
import { DEADLINE_MS, taskIdOf, type CallerWishes } from '../completions/completion-task.js';
import type { AskedTask } from '../tasks/admit-task.js';

/** The task of an embedding request. */
export function embeddingTask(
  { model, input, dimensions }: EmbeddingRequest,
  wishes: CallerWishes,
): AskedTask {
  const inputs = inputsOf(input);
  const shorter = dimensions === undefined || dimensions === null ? {} : { dimensions };
  return taskOf(model, { kind: 'embedding', inputs, ...shorter }, wishes);
}

/** The task of a rerank request. */
export function rerankTask(body: RerankRequest, wishes: CallerWishes): AskedTask {
  return taskOf(body.model, { kind: 'rerank', query: body.query, documents: textsOf(body) }, wishes);
}

/** The texts of the documents. */
export function textsOf({ documents }: Pick<RerankRequest, 'documents'>): string[] {
  return documents.map((document) => (typeof document === 'string' ? document : document.text));
}

/** A list of numbers is one input, of token ids. */
function inputsOf(input: EmbeddingRequest['input']): EmbeddingInput['inputs'] {
  if (typeof input === 'string') return [input];
  const ids = input.filter((item) => typeof item === 'number');
  return ids.length > 0 ? [ids] : input.filter((item) => typeof item !== 'number');
}

function taskOf(model: string, input: EmbeddingInput | RerankInput, wishes: CallerWishes): AskedTask {
  const task_id = taskIdOf(wishes);
  return {
    request: {
      task_id,
      session_id: wishes.sessionId ?? task_id,
      workload: input.kind,
      model_ref: model,
      ctx: 0,
      priority: 'interactive',
      max_tokens: 1, // Nothing is put out.
      deadline_ms: DEADLINE_MS,
      cancel_on_disconnect: wishes.idempotencyKey === undefined,
    },
    input,
    fitContext: true,
  };
}
