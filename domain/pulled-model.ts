/** A model of the catalogue that nobody has written a launch for: the pool that would serve it. */
import { mustBeFetched, shownRef } from './model-source.js';

/** What of a pool's entry comes from its model. */
export interface PulledModelPool {
  id: string;
  /** A reference: the node has its files, or fetches them. */
  model: string;
  model_name: string;
}

/** A pool's id has 128 characters; what tells models apart stands at the end of theirs. */
const LONGEST_TAIL = 120;

/** The pool of a model; undefined where nothing says from where it comes, or the engine that Drover brings along cannot read it. */
export function poolOfModel(model: { id: string; source_url: string | null }): PulledModelPool | undefined {
  const { id, source_url } = model;
  if (source_url === null || !mustBeFetched(source_url) || !/\.gguf$/i.test(shownRef(source_url)))
    return undefined;
  const tail = id.replace(/[^A-Za-z0-9._-]/g, '-').slice(-LONGEST_TAIL);
  return { id: `model-${tail}`, model: source_url, model_name: id };
}
