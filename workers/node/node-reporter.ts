/**
 * Tells an API that this node is there: registers, then reports its pools every ten seconds, and takes its leave at the end.
 * Nothing that runs here waits for it. An API that is lost is tried in rounds of five, further and further apart (B-NODE-036);
 * one that does not know the node any more is told of it anew (B-NAPI-005).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { errorEnvelope } from '../../contracts/errors.js';
import {
  heartbeatHeard,
  type NodeHeartbeat,
  type NodeRegistration,
  type ReportedPool,
} from '../../contracts/node-service.js';
import { parseJson } from '../../domain/json.js';
import { HEARTBEAT_INTERVAL_MS, reconnectDelayMs } from '../../domain/node-service.js';
import type { Logger } from '../../telemetry/logger.js';

/** What the reporter works with. */
export interface NodeReporterDeps {
  /** Base address of the API. */
  apiUrl: string;
  /** The token as it is now. */
  token: () => string;
  registration: () => NodeRegistration;
  pools: () => ReportedPool[];
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
  now: () => number;
  random: () => number;
  /** Waits; tests need not. */
  pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What an API said: it took it, does not know us, will have none of it, or cannot be reached. */
type Heard =
  | { kind: 'ok'; body: unknown }
  | { kind: 'unknown'; why: string }
  | { kind: 'refused'; why: string }
  | { kind: 'lost'; why: string };

/** An API answers in milliseconds. */
const ANSWER_LIMIT_MS = 5_000;
/** A process that ends waits no longer for an API that is gone. */
const LEAVE_LIMIT_MS = 2_000;
/** Between two tries at an API that has refused us: somebody must see to it first. */
const REFUSED_PAUSE_MS = 60_000;
/** What the next try may mend. */
const PASSING = [408, 429, 502, 503, 504];

/** The node's reports. */
export class NodeReporter {
  private readonly over = new AbortController();
  private registered = false;
  private failed = false;
  private trouble = '';
  private ended: Promise<void> = Promise.resolve();

  constructor(private readonly deps: NodeReporterDeps) {}

  /** Reports from now on. */
  start(): void {
    this.ended = this.report().catch((err: unknown) => {
      if (!this.over.signal.aborted)
        this.deps.log.error({ err, event: 'reports_ended' }, 'reports have ended');
    });
  }

  /** The last word before an end that nobody wanted (B-NAPI-012). */
  async fail(reason: string): Promise<void> {
    this.failed = true;
    this.over.abort();
    await this.ended;
    if (this.registered) await this.beat({ fatal: reason.slice(0, 1_024) }, LEAVE_LIMIT_MS);
  }

  /** Reports no more; the API is told, if it can be. A node that has failed has said so. */
  async stop(): Promise<void> {
    this.over.abort();
    await this.ended;
    if (!this.registered || this.failed) return;
    await this.ask('DELETE', `/v2/nodes/${this.id}`, undefined, LEAVE_LIMIT_MS);
  }

  private async report(): Promise<void> {
    for (let attempt = 1; !this.over.signal.aborted;) {
      const heard = await (this.registered ? this.beat({}) : this.register());
      this.tell(heard);
      if (heard.kind === 'ok') attempt = 1;
      await this.wait(this.pauseAfter(heard, attempt));
      if (heard.kind === 'lost') attempt = reconnectDelayMs(attempt, 0) === undefined ? 1 : attempt + 1;
      if (heard.kind === 'unknown') this.registered = false;
    }
  }

  private pauseAfter(heard: Heard, attempt: number): number {
    if (heard.kind === 'unknown') return 0;
    if (heard.kind === 'refused') return REFUSED_PAUSE_MS;
    // What has registered is online by its first heartbeat, which waits for nothing.
    if (heard.kind === 'ok') return heartbeatHeard.safeParse(heard.body).data?.next_heartbeat_ms ?? 0;
    return reconnectDelayMs(attempt, this.deps.random()) ?? HEARTBEAT_INTERVAL_MS;
  }

  private async register(): Promise<Heard> {
    const heard = await this.ask('POST', '/v2/nodes/register', this.deps.registration());
    this.registered = heard.kind === 'ok';
    // No such route is no such node service, not a node that it has forgotten.
    return heard.kind === 'unknown' ? { ...heard, kind: 'refused' } : heard;
  }

  private beat(more: Pick<NodeHeartbeat, 'fatal'>, limitMs?: number): Promise<Heard> {
    const body: NodeHeartbeat = { timestamp: this.deps.now(), pools: this.deps.pools(), ...more };
    return this.ask('POST', `/v2/nodes/${this.id}/heartbeat`, body, limitMs);
  }

  private get id(): string {
    return encodeURIComponent(this.deps.registration().node_id);
  }

  private async ask(
    method: 'POST' | 'DELETE',
    path: string,
    body?: NodeRegistration | NodeHeartbeat,
    limitMs = ANSWER_LIMIT_MS,
  ): Promise<Heard> {
    try {
      const { statusCode, body: answer } = await request(`${this.deps.apiUrl}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.deps.token()}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(limitMs),
      });
      return heardIn(statusCode, await answer.text());
    } catch (err) {
      return { kind: 'lost', why: err instanceof Error ? err.message : String(err) };
    }
  }

  private async wait(ms: number): Promise<void> {
    const { signal } = this.over;
    const { pause = pauseFor } = this.deps;
    await pause(ms, signal).catch((err: unknown) => {
      if (!signal.aborted) throw err;
    });
  }

  /** One line a change. */
  private tell(heard: Heard): void {
    const { log } = this.deps;
    const trouble = heard.kind === 'ok' ? '' : `${heard.kind}: ${heard.why}`;
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    if (heard.kind === 'ok') log.info({ event: 'node_reporting' }, 'the API has heard of this node');
    else if (heard.kind === 'refused')
      log.error({ event: 'node_refused', why: heard.why }, 'the API refuses this node');
    else log.warn({ event: 'node_unheard', why: heard.why }, 'the API does not hear this node');
  }
}

function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal, ref: false });
}

function heardIn(status: number, text: string): Heard {
  const json = parseJson(text);
  if (status < 300) return { kind: 'ok', body: json };
  const said = errorEnvelope.safeParse(json).data;
  const why = said === undefined ? `status ${status}` : `${said.code}: ${said.message}`;
  if (status === 404) return { kind: 'unknown', why };
  return { kind: PASSING.includes(status) && said?.retriable !== false ? 'lost' : 'refused', why };
}
