/**
 * Temporal's time-skipping test server: a Java program, fetched by Maven into our cache with a launcher beside it
 * that `@temporalio/testing` takes as `{ type: 'existing-path' }`. Its own download of a native build is not needed.
 */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.mjs';
import { onPath, run } from './programs.mjs';

const VERSION = '1.38.0';
/** Seconds with a near mirror, for 38 MB. */
const FETCH_TIMEOUT_MS = 300_000;

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>drover</groupId><artifactId>test-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.temporal</groupId><artifactId>temporal-test-server</artifactId><version>${VERSION}</version></dependency>
  </dependencies>
</project>
`;

/** One compiler tier and one collector thread: a test server lives for seconds. */
const LAUNCHER = `#!/bin/sh
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$(dirname "$(readlink -f "$0")")/lib/*" io.temporal.testserver.TestServer "$@"
`;

/**
 * Makes the test server ready to run.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] is told what takes long
 * @returns {Promise<string>} path of the launcher
 * @throws Error that says what to install when there is no Java or Maven, or Maven fails
 */
export async function prepareTimeSkippingServer({ log = () => {} } = {}) {
  return cached(`temporal-test-server/${VERSION}`, 'temporal-test-server', log, async (folder) => {
    const [maven, java] = [onPath('mvn'), onPath('java')];
    if (maven === undefined || java === undefined) {
      throw new Error(
        'the workflow tests need a JDK and Maven: install them so that "java" and "mvn" are on PATH',
      );
    }
    log(`fetching Temporal's test server ${VERSION} with Maven (38 MB, some seconds)`);
    await writeFile(join(folder, 'pom.xml'), POM);
    const lib = join(folder, 'lib');
    await mkdir(lib);
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${lib}`];
    await run(maven, ['-q', '-B', ...goal], { cwd: folder, timeoutMs: FETCH_TIMEOUT_MS });
    await writeFile(join(folder, 'temporal-test-server'), LAUNCHER);
    await chmod(join(folder, 'temporal-test-server'), 0o755);
    await rm(join(folder, 'pom.xml'));
  });
}
