/** Where the bench's models come from: a server on this machine that has one file, under every name of a repository. */
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { nowMs } from '../engine/words.js';

/** A running server. */
export interface ModelOrigin {
  url: string;
  /** Makes the file anew, of random bytes. */
  fill: (bytes: number) => Promise<void>;
  /** Sends no faster than this, as a network would; undefined: as fast as it can. */
  pace: (bytesPerSecond: number | undefined) => void;
  close: () => Promise<void>;
}

const BLOCK_BYTES = 4 * 1_048_576;
const CHUNK_BYTES = 1_048_576;

/** Starts the server; until it is filled it has nothing. */
export async function startModelOrigin(path: string): Promise<ModelOrigin> {
  let bytesPerSecond: number | undefined;
  const server = createServer((request, response) => {
    void stat(path).then(
      ({ size }) => {
        response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' });
        if (request.method === 'HEAD') response.end();
        else pipeline(contentOf(path, bytesPerSecond), response, () => undefined);
      },
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  return {
    url: `http://127.0.0.1:${port}`,
    async fill(bytes) {
      const block = randomFillSync(Buffer.alloc(BLOCK_BYTES));
      const file = await open(path, 'w');
      for (let left = bytes; left > 0; left -= BLOCK_BYTES)
        await file.write(block.subarray(0, Math.min(left, BLOCK_BYTES)));
      await file.sync();
      await file.close();
    },
    pace(wanted) {
      bytesPerSecond = wanted;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function contentOf(path: string, bytesPerSecond: number | undefined): Readable {
  const content = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  return bytesPerSecond === undefined ? content : Readable.from(paced(content, bytesPerSecond));
}

async function* paced(content: AsyncIterable<Buffer>, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const beganMs = nowMs();
  let sent = 0;
  for await (const chunk of content) {
    sent += chunk.length;
    await pause(Math.max(0, beganMs + (sent * 1_000) / bytesPerSecond - nowMs()));
    yield chunk;
  }
}
