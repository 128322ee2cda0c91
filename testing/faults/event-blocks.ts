/** Server-sent events as bytes arrive: blocks of lines, taken apart and otherwise left as they came. */

/** One event. */
export interface SeenEvent {
  /** Undefined where the server sent none: an error that is no part of the log. */
  id: string | undefined;
  /** `message`, as browsers call it, where the server names none. */
  event: string;
  /** As it came. */
  data: string;
}

/** An event, and when a client had it, in milliseconds of the run's clock. */
export interface TimedEvent extends SeenEvent {
  atMs: number;
}

/** Cuts text into events; what is not complete yet waits for the rest, and a connection that dies takes it along. */
export class EventBlocks {
  private rest = '';

  /** The events that are complete with this piece. */
  take(text: string): SeenEvent[] {
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop() ?? '';
    return blocks.flatMap(eventOf);
  }
}

/** A block without data is a comment. */
function eventOf(block: string): SeenEvent[] {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  const data = fields.get('data');
  return data === undefined ? [] : [{ id: fields.get('id'), event: fields.get('event') ?? 'message', data }];
}
