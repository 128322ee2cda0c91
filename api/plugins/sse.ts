/**
 * Event streams over a plain response: no framework between a frame and the socket. A stream knows when its reader
 * cannot keep up, keeps a silent connection alive with comments, and ends when the API does (`close()` would wait for it).
 */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import { DroverError } from '../../contracts/errors.js';

/** How streams behave. */
export interface EventStreamOptions {
  /** Silence after which a comment is sent; 0 never (B-DP-165). */
  heartbeatMs: number;
  /** Told how many streams are open. */
  onCount: (open: number) => void;
}

/** One reader's stream. */
export interface EventStream {
  /** True while the socket takes no more; `onReady` follows. */
  isBlocked(): boolean;
  isClosed(): boolean;
  /** Sends text, whole frames only. */
  write(text: string): void;
  /** Called each time that the socket takes more again. */
  onReady(listener: () => void): void;
  /** Called once, when the stream is over: because its reader left, or because it was ended here. */
  onClose(listener: (byReader: boolean) => void): void;
  end(): void;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Turns a reply into an event stream. @throws DroverError when the API is closing */
    openEventStream: (reply: FastifyReply, headers: Record<string, string>) => EventStream;
  }
}

/** A proxy must neither keep, change nor gather events (B-DP-106). */
const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  connection: 'keep-alive',
  'x-accel-buffering': 'no',
};
const HEARTBEAT = ': keep-alive\n\n';
/** A client that meets a closing API comes again at once, to another one. */
const RETRY_AFTER_MS = 1_000;

/** Decorates the app with `openEventStream`. */
export const eventStreams = fp<EventStreamOptions>(
  (app: FastifyInstance, { heartbeatMs, onCount }, done) => {
    const open = new Set<ServerResponse>();
    let closing = false;
    app.decorate('openEventStream', (reply, headers) => {
      if (closing) {
        throw new DroverError('POOL_UNAVAILABLE', 'this process is ending', {
          retry_after_ms: RETRY_AFTER_MS,
        });
      }
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, { ...definedHeaders(reply), ...STREAM_HEADERS, ...headers });
      raw.flushHeaders();
      open.add(raw);
      onCount(open.size);
      raw.once('close', () => {
        open.delete(raw);
        onCount(open.size);
      });
      return eventStream(raw, heartbeatMs, () => closing);
    });
    app.addHook('preClose', (next) => {
      closing = true;
      for (const raw of open) endAtOnce(raw);
      next();
    });
    done();
  },
  { name: 'event-streams', fastify: '5.x' },
);

function definedHeaders(reply: FastifyReply): Record<string, string | string[] | number> {
  const entries = Object.entries(reply.getHeaders());
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function eventStream(raw: ServerResponse, heartbeatMs: number, isClosing: () => boolean): EventStream {
  let blocked = false;
  let closed = false;
  const heartbeat = heartbeatMs > 0 ? setTimeout(beat, heartbeatMs) : undefined;
  raw.on('drain', () => {
    blocked = false;
  });
  raw.on('error', () => undefined); // A reader that broke off; `close` follows.
  raw.once('close', () => {
    closed = true;
    clearTimeout(heartbeat);
  });

  function beat(): void {
    if (!blocked) write(HEARTBEAT);
    heartbeat?.refresh();
  }

  function write(text: string): void {
    if (closed || raw.writableEnded) return;
    blocked = !raw.write(text);
    heartbeat?.refresh();
  }

  return {
    isBlocked: () => blocked,
    isClosed: () => closed || raw.writableEnded,
    write,
    onReady: (listener) => void raw.on('drain', listener),
    onClose(listener) {
      if (raw.destroyed) listener(true);
      else raw.once('close', () => listener(!raw.writableEnded && !isClosing()));
    },
    end: () => void raw.end(),
  };
}

/** The reader keeps what it has and resumes elsewhere; one that does not read is not waited for. */
function endAtOnce(raw: ServerResponse): void {
  if (raw.writableNeedDrain) raw.destroy();
  else raw.end(() => raw.socket?.destroySoon());
}
