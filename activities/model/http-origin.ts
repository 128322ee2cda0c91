/** A model's file by HTTP: with `Range` from where the last attempt ended, through redirects, with a token for its own host alone. */
import { Agent, request, type Dispatcher } from 'undici';
import {
  digestInTag,
  readContentRange,
  readRetryAfter,
  readStatus,
  strongTag,
} from '../../domain/download.js';
import { mayBeAsked } from '../../domain/model-source.js';
import { downloadFailure } from './download-failure.js';
import { FileChangedError, type AskOrigin, type OriginAnswer, type OriginQuestion } from './model-origin.js';

/** Hugging Face takes one, to its store. */
const REDIRECTS = 5;
const CONNECT_TIMEOUT_MS = 10_000;
/** What may help where access is denied; the token is never repeated. */
const ADVICE = {
  hf: 'set HF_TOKEN in the environment of the node worker to a token that may read it, and accept the terms of the model',
  other: 'the address must be one that needs no login',
};

/** How HTTP is spoken. */
export interface HttpOriginOptions {
  url: string;
  /** Bearer token, for the host of `url` alone. */
  token: string | undefined;
  /** Whose token it is, or would be. */
  by: 'hf' | null;
  /** Addresses of the settings, which may be plain HTTP. */
  trusted: readonly string[];
}

/** What was told on the way to the file. */
interface Way {
  url: URL;
  sha256: string | null;
  totalBytes: number | null;
}

/** Answers with what a server at `url` has. */
export function httpOrigin(options: HttpOriginOptions): AskOrigin {
  return async (question) => {
    const way: Way = { url: new URL(options.url), sha256: null, totalBytes: null };
    for (let followed = 0; followed <= REDIRECTS; followed += 1) {
      const answer = await ask(way.url, options, question);
      const read = readAnswer(answer, options, question, way);
      if (read !== undefined) return read;
    }
    throw downloadFailure('DOWNLOAD_FAILED', `the server redirects more than ${REDIRECTS} times`, {
      passing: false,
    });
  };
}

/** JSON of a small answer. @throws as an origin does */
export async function fetchJson(options: HttpOriginOptions, signal: AbortSignal): Promise<unknown> {
  const { body } = await httpOrigin(options)({ offset: 0, tag: null, signal });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > LARGEST_JSON)
      throw downloadFailure('DOWNLOAD_FAILED', 'the list of files is too long', { passing: false });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (err) {
    throw downloadFailure('DOWNLOAD_FAILED', 'the server does not answer in JSON', {}, err);
  }
}

/** A list of a thousand files has a fifth of that. */
const LARGEST_JSON = 4 * 1_048_576;

const agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } });

function ask(url: URL, options: HttpOriginOptions, { offset, tag, signal }: OriginQuestion) {
  if (!mayBeAsked(url, options.trusted)) {
    throw downloadFailure('DOWNLOAD_FAILED', `${url.protocol}//${url.host} may not be asked: only HTTPS is`, {
      passing: false,
    });
  }
  const isHome = url.origin === new URL(options.url).origin;
  const headers: Record<string, string> = {
    'accept-encoding': 'identity',
    'user-agent': 'drover',
    ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
    ...(offset > 0 && tag !== null ? { 'if-range': tag } : {}),
    ...(isHome && options.token !== undefined ? { authorization: `Bearer ${options.token}` } : {}),
  };
  return request(url, {
    method: 'GET',
    headers,
    signal,
    dispatcher: agent,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/** The answer; undefined after a redirect, which `way` then stands at. */
function readAnswer(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  options: HttpOriginOptions,
  { offset }: OriginQuestion,
  way: Way,
): OriginAnswer | undefined {
  const of = (name: string) => [headers[name]].flat()[0];
  // What is not read would hold the connection.
  const close = () => void body.on('error', () => undefined).destroy();
  way.sha256 ??= digestInTag(of('x-linked-etag'));
  way.totalBytes ??= wholeNumber(of('x-linked-size'));
  const verdict = readStatus(statusCode, options.by === 'hf' ? ADVICE.hf : ADVICE.other);
  if (verdict.kind === 'whole' || verdict.kind === 'rest') {
    const range = verdict.kind === 'rest' ? readContentRange(of('content-range')) : { from: 0, total: null };
    if (range === undefined || (range.from !== 0 && range.from !== offset)) {
      close();
      throw downloadFailure('DOWNLOAD_FAILED', 'the server answers with another range than was asked for');
    }
    const length = verdict.kind === 'whole' ? wholeNumber(of('content-length')) : null;
    const totalBytes = range.total ?? length ?? way.totalBytes;
    return { offset: range.from, totalBytes, tag: strongTag(of('etag')), sha256: way.sha256, body, close };
  }
  close();
  if (verdict.kind === 'redirect') {
    way.url = new URL(of('location') ?? '', way.url);
    return undefined;
  }
  if (verdict.kind === 'anew') throw new FileChangedError();
  const { type, message, passing } = verdict;
  throw downloadFailure(type, message, { passing, retry_after_ms: readRetryAfter(of('retry-after')) });
}

function wholeNumber(text: string | undefined): number | null {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : null;
}
