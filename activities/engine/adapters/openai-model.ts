/** The model of a server that speaks OpenAI's words: one server has one, whatever is listed after it. */
import { DroverError } from '../../../contracts/errors.js';
import type { EngineHttp } from './engine-http.js';

/** Asks once for the name under which the server serves its model. @throws DroverError POOL_UNREADY where it lists none */
export function modelOf(http: EngineHttp): (signal: AbortSignal) => Promise<string> {
  let known: string | undefined;
  return async (signal) => {
    if (known === undefined) {
      const { data } = await http.get<{ data?: { id: string }[] }>('/v1/models', signal);
      known = data?.[0]?.id;
    }
    if (known === undefined) throw new DroverError('POOL_UNREADY', 'the engine serves no model');
    return known;
  };
}
