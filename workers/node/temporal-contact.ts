/**
 * Whether this node is in touch with Temporal. While it is not, nobody here can know whether its tasks were given to another
 * node, so after {@link FENCE_AFTER_MS} they stop (design §2.7). A server that is down for everybody gives nothing away: where
 * its host refuses the connection, the node counts as in touch, and streams go on while Temporal restarts.
 */
import { closeSync, openSync, statSync, utimesSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { FENCE_AFTER_MS } from '../../domain/fence.js';
import type { Logger } from '../../telemetry/logger.js';
import { story, type Story } from '../../telemetry/narration.js';

/** What the contact is given. */
export interface TemporalContactDeps {
  /** True when Temporal's host is there and nothing listens. */
  isRefused: () => Promise<boolean>;
  /** A file whose time is that of the last contact, for the next worker. */
  file: string;
  /** Out of touch: nothing may go on that another node may have taken over. */
  onLost: () => void;
  log: Logger;
  now: () => number;
  lookEveryMs?: number;
}

/** Several looks fit into a fence. */
const LOOK_EVERY_MS = 2_000;
/** A server that is there answers within milliseconds; on a machine that is overcome by its work it takes seconds. */
const ANSWER_LIMIT_MS = 12_000;
/** A connection that is neither taken nor refused within this time is lost on its way. */
const CONNECT_LIMIT_MS = 2_000;

/** Asks; by `beforeMs` it is settled. */
type Ask = (beforeMs: number) => Promise<unknown>;

/** The node's contact. */
export class TemporalContact {
  private lastMs: number;
  private lost = false;
  private readonly over = new AbortController();

  constructor(private readonly deps: TemporalContactDeps) {
    this.lastMs = lastContact(deps.file);
  }

  /** True while tasks may go on. */
  inTouch(): boolean {
    return this.deps.now() - this.lastMs < FENCE_AFTER_MS;
  }

  /** Temporal has answered a question that was put at this time. */
  heard(atMs: number): void {
    this.lastMs = Math.max(this.lastMs, atMs);
    keepTime(this.deps.file, this.lastMs);
    if (!this.lost) return;
    this.lost = false;
    this.deps.log.warn(
      { event: 'temporal_back', ...heartbeat('Is in touch with Temporal again') },
      'in touch with Temporal again',
    );
  }

  /**
   * Looks again and again, from now on.
   * @param ask - asks Temporal for anything; rejects where it does not answer by that time
   */
  start(ask: Ask): void {
    void this.look(ask);
    void this.watch();
  }

  stop(): void {
    this.over.abort();
  }

  private async look(ask: Ask): Promise<void> {
    const { lookEveryMs = LOOK_EVERY_MS } = this.deps;
    while (!this.over.signal.aborted) {
      // Not awaited: a server that is slow to answer is there all the same, and is not asked less often for it.
      void this.lookOnce(ask);
      await delay(lookEveryMs, undefined, { ref: false, signal: this.over.signal }).catch(() => undefined);
    }
  }

  private async lookOnce(ask: Ask): Promise<void> {
    const { isRefused, now } = this.deps;
    const askedAtMs = now();
    const isThere = await ask(askedAtMs + ANSWER_LIMIT_MS).then(
      () => true,
      () => isRefused(),
    );
    if (isThere && !this.over.signal.aborted) this.heard(askedAtMs);
  }

  /** The clock, which waits for no answer. */
  private async watch(): Promise<void> {
    const { lookEveryMs = LOOK_EVERY_MS, log, onLost } = this.deps;
    while (!this.over.signal.aborted) {
      if (!this.lost && !this.inTouch()) {
        this.lost = true;
        const story = heartbeat(`Stops its tasks after ${FENCE_AFTER_MS} ms without Temporal`);
        log.error(
          { event: 'temporal_lost', ...story },
          'out of touch with Temporal: its tasks stop until it is back',
        );
        onLost();
      }
      const pauseMs = Math.min(lookEveryMs, 250);
      await delay(pauseMs, undefined, { ref: false, signal: this.over.signal }).catch(() => undefined);
    }
  }
}

/** Whether the host of this address (`host:port`) says that nothing listens there. */
export function refusesConnections(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(address.slice(at + 1)), timeout: CONNECT_LIMIT_MS });
    const settle = (refused: boolean): void => {
      socket.destroy();
      resolve(refused);
    };
    socket.once('connect', () => settle(false));
    socket.once('timeout', () => settle(false));
    socket.once('error', (err) => settle('code' in err && err.code === 'ECONNREFUSED'));
  });
}

/** Never, where no worker of this node was in touch yet. */
function lastContact(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

/** Touches the file, which takes no room on a full disk; one that cannot be written costs a restarted worker a moment. */
function keepTime(file: string, atMs: number): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
    utimesSync(file, atMs / 1000, atMs / 1000);
  } catch {
    // The next worker then waits to be told by Temporal which tasks are its own.
  }
}

/** The node's own heartbeat is its being in touch with Temporal. */
function heartbeat(human: string): Story {
  return story('pool-managerd', 'heartbeat', 'temporal', human);
}
