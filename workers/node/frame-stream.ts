/** A run's frames to a relay: one JSON object a line, as they are logged, until the stream is closed. */
import type { ServerResponse } from 'node:http';
import type { MetricsData } from '../../contracts/events.js';
import { BUDGETS_HEADER, NEXT_OFFSET_HEADER } from '../../contracts/node.js';
import type { Run } from './run.js';

/** An empty line after this silence shows the relay that the node is alive. */
const KEEP_ALIVE_MS = 5_000;

/** Whoever waits for a pool to wake sees it move so often. */
const PREPARATION_MS = 500;

/**
 * Streams frames with offset >= `from`. Nothing of an unconfirmed run is sent (design §2.2); a reader that is slow holds
 * back only itself: frames stay in the run, not in the socket's buffer.
 * @param preparation - what is told while the run waits for its pool to wake
 */
export function streamFrames(
  run: Run,
  from: number,
  out: ServerResponse,
  preparation: () => MetricsData | undefined,
): void {
  let offset = from;
  let blocked = false;
  out.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-cache',
    [NEXT_OFFSET_HEADER]: run.nextOffset,
    ...(run.offer.budgets === undefined ? {} : { [BUDGETS_HEADER]: JSON.stringify(run.offer.budgets) }),
  });
  out.flushHeaders();
  out.socket?.setNoDelay(true);
  const keepAlive = setInterval(() => {
    if (!blocked) out.write('\n');
  }, KEEP_ALIVE_MS);
  const preparing = setInterval(tellPreparation, PREPARATION_MS);
  const unwatch = run.watch(pump);
  const leave = run.readers.enter();
  const stop = () => {
    clearInterval(keepAlive);
    clearInterval(preparing);
    unwatch();
    leave();
  };
  out.on('close', stop).on('drain', () => {
    blocked = false;
    pump();
  });
  pump();
  tellPreparation();

  function tellPreparation(): void {
    const data = blocked || out.writableEnded ? undefined : preparation();
    if (data !== undefined) out.write(`${JSON.stringify({ type: 'prep', data })}\n`);
    // Once there are frames there is nothing to prepare.
    if (run.nextOffset > 0) clearInterval(preparing);
  }

  function pump(): void {
    if (blocked || out.writableEnded) return;
    if (run.confirmed && !run.held && run.nextOffset > offset) {
      const lines = run.framesFrom(offset).map((frame) => `${JSON.stringify(frame)}\n`);
      offset = run.nextOffset;
      blocked = !out.write(lines.join(''));
    }
    const isOver = run.streamClosed && offset >= run.nextOffset;
    // A run that had ended when its offer was dropped shows nothing to anybody; whoever waits here asks again.
    const isVoid = run.discarded && !(run.ended && run.confirmed);
    if (isOver || run.held || isVoid) {
      stop();
      out.end();
    }
  }
}
