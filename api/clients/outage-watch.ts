/**
 * Knows that Temporal is away while it is: the first call that finds out waits for its deadline, those after it are
 * refused at once, and a probe in the background sees it come back. Without it, every refused task would have taken a
 * place in a node's queue for as long as its start was tried.
 */

/** Watches one service. */
export interface OutageWatch {
  /** True from a call that got no answer until a probe gets one. */
  readonly away: boolean;
  /** A call got no answer. */
  report(): void;
  close(): void;
}

/** Between two probes: how much later than the server we are back at most. */
const PROBE_INTERVAL_MS = 500;

/**
 * Makes a watch.
 * @param probe - resolves to true when the service answers; bounded in time by the caller
 */
export function createOutageWatch(
  probe: () => Promise<boolean>,
  intervalMs = PROBE_INTERVAL_MS,
): OutageWatch {
  let away = false;
  let next: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    if (!away) return;
    if (await probe()) away = false;
    else next = setTimeout(() => void look(), intervalMs).unref();
  }

  return {
    get away() {
      return away;
    },
    report() {
      if (away) return;
      away = true;
      void look();
    },
    close() {
      away = false;
      clearTimeout(next);
    },
  };
}
