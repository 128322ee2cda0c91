/** A model's file as an object of a bucket, of AWS or of whatever speaks S3's protocol. Credentials come by AWS's own ways. */
import { addAbortSignal, type Readable } from 'node:stream';
import {
  GetObjectCommand,
  S3Client,
  S3ServiceException,
  type GetObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { readContentRange, readStatus } from '../../domain/download.js';
import { downloadFailure } from './download-failure.js';
import { FileChangedError, type AskOrigin, type OriginAnswer } from './model-origin.js';

/** Where the object is. */
export interface S3OriginOptions {
  bucket: string;
  key: string;
  /** URL of a server other than AWS's; buckets are then part of the path. */
  endpoint: string | undefined;
  /** Default: AWS's own ways; for another server `us-east-1`, which most of them take. */
  region: string | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const ANY_REGION = 'us-east-1';
const ADVICE =
  'give the node worker credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) that may read it';

/** Answers with what the bucket has. */
export function s3Origin({ bucket, key, endpoint, region }: S3OriginOptions): AskOrigin {
  return async ({ offset, tag, signal }) => {
    const elsewhere = endpoint === undefined ? {} : { endpoint, forcePathStyle: true, region: ANY_REGION };
    const client = new S3Client({
      ...elsewhere,
      ...(region === undefined ? {} : { region }),
      // The workflow counts the attempts.
      maxAttempts: 1,
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
    });
    const ranged = offset > 0 ? { Range: `bytes=${offset}-`, ...(tag === null ? {} : { IfMatch: tag }) } : {};
    const asked = new GetObjectCommand({ Bucket: bucket, Key: key, ...ranged });
    try {
      const output = await client.send(asked, { abortSignal: signal });
      const answer = answerOf(output, offset, () => client.destroy());
      addAbortSignal(signal, output.Body as Readable); // On Node it is one; the SDK's own abort ends with the headers.
      return answer;
    } catch (err) {
      client.destroy();
      throw refusalOf(err);
    }
  };
}

function answerOf(output: GetObjectCommandOutput, offset: number, close: () => void): OriginAnswer {
  const { Body, ContentLength, ContentRange, ETag } = output;
  const range = readContentRange(ContentRange);
  return {
    offset: range?.from === offset ? offset : 0,
    totalBytes: range === undefined ? (ContentLength ?? null) : range.total,
    tag: ETag ?? null,
    sha256: null,
    body: closing(Body as AsyncIterable<Uint8Array>, close), // On Node it is a stream.
    close,
  };
}

async function* closing(body: AsyncIterable<Uint8Array>, close: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    close();
  }
}

/** What the server refuses, in our words; a connection that failed as it is. */
function refusalOf(err: unknown): unknown {
  const status = err instanceof S3ServiceException ? err.$metadata.httpStatusCode : undefined;
  if (status !== undefined && status >= 300) {
    const verdict = readStatus(status, ADVICE);
    if (verdict.kind === 'anew') return new FileChangedError();
    if (verdict.kind === 'failed')
      return downloadFailure(verdict.type, verdict.message, { passing: verdict.passing }, err);
  }
  if (err instanceof Error && err.name === 'CredentialsProviderError') {
    return downloadFailure(
      'MODEL_ACCESS_DENIED',
      `there are no credentials for the bucket; ${ADVICE}`,
      {},
      err,
    );
  }
  return err;
}
