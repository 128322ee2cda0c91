/** Follows how far a worker's model has come, from the worker's own stream of progress. */
import { createParser } from 'eventsource-parser';
import { fetch } from 'undici';
import { loadingFrame, type LoadingFrame } from '../../contracts/loading.js';

/** The worker answers from memory, or not at all. */
const CONNECT_LIMIT_MS = 10_000;
/** A frame has a hundred bytes. */
const LARGEST_FRAME = 65_536;

/** Where the progress is told, and with which key. */
export interface LoadingSource {
  url: string;
  key: string;
}

/** Tells every frame until the last. @throws whatever cuts the stream off; an Error where it is none */
export type FollowLoading = (
  source: LoadingSource,
  tell: (frame: LoadingFrame) => void,
  signal: AbortSignal,
) => Promise<void>;

/** The same over HTTP. */
export const followLoading: FollowLoading = async ({ url, key }, tell, signal) => {
  const connecting = new AbortController();
  const late = setTimeout(() => connecting.abort(new Error('it did not answer in time')), CONNECT_LIMIT_MS);
  const response = await fetch(`${url}/v1/loading/progress`, {
    headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream' },
    signal: AbortSignal.any([signal, connecting.signal]),
  }).finally(() => clearTimeout(late));
  const type = response.headers.get('content-type') ?? '';
  if (response.status !== 200 || response.body === null || !type.startsWith('text/event-stream')) {
    await response.body?.cancel();
    throw new Error(`the worker answered ${response.status} ${type}`);
  }
  const stream = { isOver: false };
  const parser = createParser({
    maxBufferSize: LARGEST_FRAME,
    onEvent: ({ data }) => {
      if (data === '[DONE]') stream.isOver = true;
      else tell(loadingFrame.parse(JSON.parse(data)));
    },
  });
  const decoder = new TextDecoder();
  for await (const bytes of response.body) parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
  if (!stream.isOver) throw new Error('the stream ended before its last frame');
};
