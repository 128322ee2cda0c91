/**
 * Whether a silent stream still has an API at its other end. A cable that was drawn says nothing: so, after some silence, the
 * API is asked for its health, and one that does not answer is lost (B-INF-041). Any answer will do.
 */
import { request } from 'undici';
import type { ApiHttp } from './http.js';

/** Watch over one connection. */
export class Pulse {
  private readonly lost = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private over = false;

  constructor(private readonly http: ApiHttp) {}

  /** Aborted when the API is lost. */
  get signal(): AbortSignal {
    return this.lost.signal;
  }

  /** Something has come; from now on silence counts anew. */
  begin(): void {
    clearTimeout(this.timer);
    if (this.over) return;
    const timer = setTimeout(() => void this.feel(timer), this.http.limits.pulseMs).unref();
    this.timer = timer;
  }

  /** The connection is over. */
  end(): void {
    this.over = true;
    clearTimeout(this.timer);
  }

  private async feel(timer: NodeJS.Timeout): Promise<void> {
    const { dispatcher, limits, target } = this.http;
    const signal = AbortSignal.timeout(limits.pulseAnswerMs);
    const alive = await request(`${target.url}/healthz`, { dispatcher, signal })
      .then(({ body }) => body.dump().then(() => true))
      .catch(() => false);
    if (this.over || this.timer !== timer) return; // Something came meanwhile.
    if (alive) return this.begin();
    this.lost.abort(new Error(`the network is lost: ${target.url} has not answered for a while`));
  }
}
