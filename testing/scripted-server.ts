/** An HTTP server that answers as a test writes it: with bad manners, mostly. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request as it came. */
export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Answers a request; never to end the answer is one, too. */
export type Answerer = (response: ServerResponse, request: SeenRequest, count: number) => void;

/** A running server. */
export class ScriptedServer {
  readonly requests: SeenRequest[] = [];
  private readonly server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', url: path = '', headers } = request;
      const seen = { method, path, headers, body };
      this.requests.push(seen);
      this.answer(response, seen, this.requests.length);
    });
  });

  private constructor(private readonly answer: Answerer) {}

  /** Starts one on a port of its own. */
  static async start(answer: Answerer): Promise<ScriptedServer> {
    const scripted = new ScriptedServer(answer);
    scripted.server.listen(0, '127.0.0.1');
    await once(scripted.server, 'listening');
    return scripted;
  }

  /** Its base URL. */
  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** The requests for a path, in their order. */
  to(path: string): SeenRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Ends it, and every connection. */
  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Begins a stream of events. */
export function openEvents(response: ServerResponse, ...events: string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  for (const event of events) response.write(event);
}

/** A frame of a task as the API sends it. */
export function frameText(id: number | null, event: string, data: unknown): string {
  return `${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** The first frame of a task. */
export const STARTED = frameText(0, 'started', {
  ...{ queue_position: 0, predicted_start_ms: 0, task_id: 't1', engine: 'llamacpp', pool_id: 'default' },
  ...{ replica_id: 'r0', model_ref: 'demo', correlation_id: 'c1', admitted_at_ms: 1 },
});

/** A token's frame: the first is of the offset 1. */
export function tokenText(i: number, t: string): string {
  return frameText(i + 1, 'token', { t, i });
}

/** The last frame of a task. */
export function endText(tokens_out: number, stop_reason = 'EOS'): string {
  const times = { decode_time_ms: 1, decode_ms: 1 };
  return frameText(99, 'end', { tokens_out, tokens_in: 1, ...times, stop_reason });
}
