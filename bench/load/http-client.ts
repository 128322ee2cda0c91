/** The bench's HTTP: Node's own client on kept connections, with nothing between the socket and the measuring. */
import { Agent, request, type IncomingMessage } from 'node:http';

/** A request. */
export interface Ask {
  method: 'GET' | 'POST';
  path: string;
  /** Added to the client's own. */
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
}

/** An answer read to its end. */
export interface Answered {
  status: number;
  text: string;
}

/** Anything that takes longer is lost; preloads included. */
const LIMIT_MS = 120_000;

/** Client of one server. */
export class HttpClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 4096 });

  constructor(
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  /** Sends a request and reads the answer. */
  async send(ask: Ask): Promise<Answered> {
    const response = await this.open(ask);
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (text += chunk));
    await ended(response);
    return { status: response.statusCode ?? 0, text };
  }

  /**
   * Sends a request and hands on the answer's text as it comes.
   * @throws Error when the status is not 200, or the stream breaks off
   */
  async stream(ask: Ask, take: (text: string) => void): Promise<void> {
    const response = await this.open(ask);
    response.setEncoding('utf8');
    if (response.statusCode !== 200) {
      let text = '';
      response.on('data', (chunk: string) => (text += chunk));
      await ended(response);
      throw new Error(`${ask.method} ${ask.path}: ${response.statusCode ?? 0} ${text.slice(0, 300)}`);
    }
    response.on('data', (text: string) => {
      try {
        take(text);
      } catch (err) {
        response.destroy(err instanceof Error ? err : new Error(String(err)));
      }
    });
    await ended(response);
  }

  /** Closes every connection. */
  close(): void {
    this.agent.destroy();
  }

  private open({ method, path, headers, body }: Ask): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const typed: Record<string, string | number> =
      payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': payload.length };
    const options = {
      agent: this.agent,
      method,
      headers: { ...this.headers, ...headers, ...typed },
      timeout: LIMIT_MS,
    };
    return new Promise((resolve, reject) => {
      const sent = request(`${this.url}${path}`, options, resolve);
      sent.once('error', reject);
      sent.once('timeout', () => sent.destroy(new Error(`${method} ${path} took more than ${LIMIT_MS} ms`)));
      sent.end(payload);
    });
  }
}

function ended(response: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    response.once('end', resolve);
    response.once('error', reject);
    response.once('close', () => reject(new Error('the answer broke off')));
  });
}
