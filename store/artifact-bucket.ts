/** Artifacts as objects of a bucket, one an id: what speaks S3's protocol keeps them, and every API reaches it. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { DroverError } from '../contracts/errors.js';
import type { ArtifactFiles } from './artifact-files.js';

/** Where a bucket is. Credentials come by AWS's own ways: environment, profile, role of the machine. */
export interface BucketPlace {
  bucket: string;
  /** Before each key, as a folder; empty for none. */
  prefix: string;
  /** URL of a server other than AWS's; buckets are then part of the path. */
  endpoint?: string | undefined;
  /** Default: AWS's own ways; for another server `us-east-1`, which most of them take. */
  region?: string | undefined;
}

/** Limits of one attempt of a call; a server that is up answers in milliseconds. */
const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Attempts of one call. */
const ATTEMPTS = 3;
const RETRY_AFTER_MS = 1_000;
const ANY_REGION = 'us-east-1';

/** Objects of a bucket; nothing is asked before the first call. */
export function artifactBucket({ bucket, prefix, endpoint, region }: BucketPlace): ArtifactFiles {
  const elsewhere = endpoint === undefined ? {} : { endpoint, forcePathStyle: true, region: ANY_REGION };
  const client = new S3Client({
    ...elsewhere,
    ...(region === undefined ? {} : { region }),
    maxAttempts: ATTEMPTS,
    // Servers of others than AWS refuse checksums that they do not know.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
  const objectOf = (id: string) => ({ Bucket: bucket, Key: prefix === '' ? id : `${prefix}/${id}` });
  return {
    check: () =>
      inBucket(async () => {
        try {
          await client.send(new HeadBucketCommand({ Bucket: bucket }));
        } catch (err) {
          throw namedRefusal(err);
        }
      }),
    write: (id, content) =>
      inBucket(async () => {
        await client.send(new PutObjectCommand({ ...objectOf(id), Body: content }));
      }),
    read: (id) =>
      inBucket(async () => {
        try {
          const { Body } = await client.send(new GetObjectCommand(objectOf(id)));
          return Body === undefined ? undefined : Buffer.from(await Body.transformToByteArray());
        } catch (err) {
          if (err instanceof NoSuchKey) return undefined;
          throw err;
        }
      }),
    remove: (id) =>
      inBucket(async () => {
        await client.send(new DeleteObjectCommand(objectOf(id)));
      }),
    close: () => client.destroy(),
  };
}

/** @throws DroverError STORE_UNAVAILABLE when the bucket's server is away or overloaded; a refusal of its as it is */
async function inBucket<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (err) {
    if (err instanceof BucketRefusal) throw err;
    if (err instanceof S3ServiceException && isRefusal(err.$metadata.httpStatusCode)) throw err;
    const away = 'the bucket of artifacts cannot be used now';
    throw new DroverError('STORE_UNAVAILABLE', away, { retry_after_ms: RETRY_AFTER_MS }, { cause: err });
  }
}

function isRefusal(status = 0): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** The answer to HEAD has no body that would say it. */
function namedRefusal(err: unknown): unknown {
  if (!(err instanceof S3ServiceException)) return err;
  const status = err.$metadata.httpStatusCode;
  if (status === 404) return new BucketRefusal('there is no such bucket', { cause: err });
  if (status === 403) return new BucketRefusal('access is denied', { cause: err });
  return err;
}

/** The bucket cannot be used, and waiting does not help. */
class BucketRefusal extends Error {
  override readonly name = 'BucketRefusal';
}
