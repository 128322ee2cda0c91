/** The frames of a task with inputs as one answer: OpenAI's list of vectors, Jina's list of scores. */
import type { EmbeddingList, EncodingFormat } from '../../contracts/embeddings.js';
import type { Frame } from '../../contracts/events.js';
import type { Ranking } from '../../contracts/rerank.js';
import { decodeVector } from '../../contracts/vector.js';
import { endOf } from '../completions/words.js';

/** The vectors, in the order of the inputs. @throws DroverError of the `error` frame that ended the task */
export function embeddingListOf(frames: readonly Frame[], format: EncodingFormat): EmbeddingList {
  const { model, usage } = headOf(frames);
  const data = frames.flatMap((frame) => {
    if (frame.type !== 'token' || frame.data.embedding === undefined) return [];
    const { i: index, embedding: text } = frame.data;
    return [
      { object: 'embedding' as const, index, embedding: format === 'base64' ? text : decodeVector(text) },
    ];
  });
  return { object: 'list', data, model, usage };
}

/**
 * The scores, best first.
 * @param documents - their texts, where they are to be told
 * @throws DroverError of the `error` frame that ended the task
 */
export function rankingOf(
  frames: readonly Frame[],
  id: string,
  { topN, documents }: { topN: number | undefined; documents: readonly string[] | undefined },
): Ranking {
  const { model, usage } = headOf(frames);
  const results = frames.flatMap((frame) => {
    if (frame.type !== 'token' || frame.data.relevance_score === undefined) return [];
    const { i: index, relevance_score } = frame.data;
    const text = documents?.[index];
    return [{ index, relevance_score, ...(text === undefined ? {} : { document: { text } }) }];
  });
  const best = results.toSorted((a, b) => b.relevance_score - a.relevance_score || a.index - b.index);
  return { id, model, results: best.slice(0, topN), usage };
}

function headOf(frames: readonly Frame[]) {
  const { tokens_in } = endOf(frames).data;
  const [first] = frames;
  const model = first?.type === 'started' ? first.data.model_ref : '';
  return { model, usage: { prompt_tokens: tokens_in, total_tokens: tokens_in } };
}
