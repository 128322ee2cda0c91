/** What a worker's own routes answer with, as tests read it. */

/** An event of a stream. */
export interface SentEvent {
  event: string;
  data: Record<string, unknown>;
}

/** A body of the worker's routes. */
export interface WorkerBody {
  error?: { code: string; message: string; details: Record<string, unknown>; [fact: string]: unknown };
  [field: string]: unknown;
}

/** The events of a stream as they come; leaving the loop leaves the stream. `[DONE]` is one that is done. */
export async function* eventsOf(response: Response): AsyncGenerator<SentEvent> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, event = 'message', data] = /^(?:event: (\S+)\n)?data: (.*)$/.exec(block) ?? [];
      if (data === undefined) continue;
      yield { event, data: data === '[DONE]' ? { done: true } : (JSON.parse(data) as SentEvent['data']) };
    }
  }
}

/** All of them. */
export async function allEvents(response: Response): Promise<SentEvent[]> {
  const events: SentEvent[] = [];
  for await (const event of eventsOf(response)) events.push(event);
  return events;
}
