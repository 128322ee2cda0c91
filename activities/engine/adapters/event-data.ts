/** Server-sent events read from an engine: the `data:` of each event, those of one network chunk together. */
import { DroverError } from '../../../contracts/errors.js';

/** An engine's single event is a few hundred bytes; one without an end must not fill the memory. */
const LONGEST_LINE = 1_048_576;

/**
 * Yields the data lines of each chunk as it arrives; comments and other fields are passed over.
 * @throws DroverError WORKER_RESET when a line has no end within a mebibyte; TypeError for what is not UTF-8
 */
export async function* readEventData(body: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  // Replacing what cannot be read would show a client letters that no engine said.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE)
      throw new DroverError('WORKER_RESET', 'the engine sent a line without an end');
    const data = lines.flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trim()] : []));
    if (data.length > 0) yield data;
  }
}

/** An event's JSON. @throws DroverError WORKER_RESET when it is none: an engine that talks nonsense has broken off */
export function parsed(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch (err) {
    throw new DroverError('WORKER_RESET', 'the engine sent what is no JSON', {}, { cause: err });
  }
}
