/**
 * Who sends one invalid request after another is guessing: beyond so many a second it is told to slow down, and no longer
 * what is wrong (B-VAL-023). Valid requests of the same client go on.
 */

/** Counts the invalid requests of clients. */
export interface InvalidRequests {
  /**
   * Notes one more of this client.
   * @returns how long until it is told again what is wrong, in milliseconds; undefined while it is
   */
  note: (client: string) => number | undefined;
}

/** Bounds of the count. */
export interface InvalidRequestLimit {
  perSecond: number;
  now: () => number;
}

const SECOND_MS = 1_000;
/** Clients that are counted at once; beyond, the one whose second began first is forgotten. */
const MOST_CLIENTS = 10_000;

/** A count of its own for each client, in seconds that begin with its first invalid request. */
export function createInvalidRequests({ perSecond, now }: InvalidRequestLimit): InvalidRequests {
  const seconds = new Map<string, { endsMs: number; invalid: number }>();

  function secondOf(client: string) {
    const running = seconds.get(client);
    if (running !== undefined && running.endsMs > now()) return running;
    seconds.delete(client);
    const [eldest] = seconds.size < MOST_CLIENTS ? [] : seconds.keys();
    if (eldest !== undefined) seconds.delete(eldest);
    const begun = { endsMs: now() + SECOND_MS, invalid: 0 };
    seconds.set(client, begun);
    return begun;
  }

  return {
    note(client) {
      const second = secondOf(client);
      second.invalid += 1;
      return second.invalid > perSecond ? second.endsMs - now() : undefined;
    },
  };
}
