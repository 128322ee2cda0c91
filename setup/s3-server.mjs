/** A server that speaks S3's protocol over files, for the tests of artifacts in a bucket: Versity's gateway. */
import { join } from 'node:path';
import { cached } from './cache.mjs';
import { buildGoProgram } from './go-program.mjs';
import { onPath } from './programs.mjs';

const VERSION = 'v1.8.0';

/**
 * Builds it into the cache unless it is there.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] is told what takes long
 * @returns {Promise<string>} the program, absolute
 * @throws Error where Go is missing
 */
export function prepareS3Server({ log = () => {} } = {}) {
  return cached(`versitygw/${VERSION}`, 'versitygw', log, async (folder) => {
    const go = onPath('go');
    if (go === undefined) throw new Error('no S3 server: install Go, which builds one');
    log(`building the S3 server versitygw ${VERSION} with Go (about 2 minutes on two cores, once)`);
    await buildGoProgram(
      go,
      `github.com/versity/versitygw/cmd/versitygw@${VERSION}`,
      join(folder, 'versitygw'),
    );
  });
}
