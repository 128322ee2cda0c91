/** Where artifacts are kept outside the database: for the processes that read, write and forget them. */
import type { Settings } from '../contracts/settings.js';
import { DroverError } from '../contracts/errors.js';
import type { BucketPlace } from '../store/artifact-bucket.js';
import { artifactFiles, type ArtifactFiles } from '../store/artifact-files.js';
import type { Logger } from '../telemetry/logger.js';
import { StartError } from './run-process.js';

/**
 * The folder or bucket that the settings name; undefined where content stands in the database. A bucket whose server is
 * away is no reason not to start, as what is written there is tried again.
 * @throws StartError that says what to set when it can never be used
 */
export async function openArtifactFiles(settings: Settings, log: Logger): Promise<ArtifactFiles | undefined> {
  const { DROVER_ARTIFACT_DIR: place, AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: region } = settings;
  if (place === undefined) return undefined;
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.+?))?\/?$/.exec(place) ?? [];
  const files =
    bucket === undefined ? artifactFiles(place) : await inBucket({ bucket, prefix, endpoint, region });
  try {
    await files.check();
  } catch (err) {
    if (err instanceof DroverError) {
      log.warn({ err, event: 'artifacts_away', place }, 'the place of artifacts does not answer yet');
      return files;
    }
    files.close();
    const why = err instanceof Error ? err.message : String(err);
    const message = `Artifacts cannot be kept in ${place} (${why}). Set DROVER_ARTIFACT_DIR to a folder or bucket that this process may write.`;
    throw new StartError(message, { cause: err });
  }
  return files;
}

/** Loaded where it is used alone: it is most of what a process would load otherwise. */
async function inBucket(place: BucketPlace): Promise<ArtifactFiles> {
  const { artifactBucket } = await import('../store/artifact-bucket.js');
  return artifactBucket(place);
}
