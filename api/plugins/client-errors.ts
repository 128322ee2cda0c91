/** What is no HTTP at all never becomes a request; it is answered with the envelope and an id all the same (B-MW-004). */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { ErrorEnvelope } from '../../contracts/errors.js';

const STATUS_LINES: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Answers on the bare socket and closes it. */
export function answerClientError(err: NodeJS.ErrnoException, socket: Socket): void {
  if (err.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const id = randomUUID();
  const envelope: ErrorEnvelope = {
    code: 'INVALID_PARAMS',
    message: 'the request is not valid HTTP',
    retriable: false,
    correlation_id: id,
  };
  const body = JSON.stringify(envelope);
  const head = [
    `HTTP/1.1 ${STATUS_LINES[err.code ?? ''] ?? '400 Bad Request'}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-correlation-id: ${id}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
