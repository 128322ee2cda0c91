/** An S3 server of a test's own: buckets are folders, objects files; on a free port, with keys of its own. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from './changes.js';
import { freePort } from './free-port.js';
import { Program } from './program.js';

/** Its only bucket. */
const BUCKET = 'kept';
const ACCESS_KEY = 'drover';
const SECRET_KEY = 'drover-secret';

/** Where `npm run test:engines` has put the program; undefined where tests run without it. */
const program = process.env['DROVER_TEST_S3'];

/** A server that may be stopped and started again; its objects stay. */
export class S3Server {
  private running: Program | undefined;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly logFile: string,
  ) {}

  /** Starts one. @param folder - for its objects and its log */
  static async start(folder: string): Promise<S3Server> {
    const server = new S3Server(folder, await freePort(), join(folder, 's3.log'));
    await mkdir(join(folder, BUCKET), { recursive: true });
    await server.resume();
    return server;
  }

  /** Settings of processes that keep their artifacts there, below `prefix`. */
  settings(prefix: string): Record<string, string> {
    return {
      DROVER_ARTIFACT_DIR: `s3://${BUCKET}/${prefix}`,
      AWS_ENDPOINT_URL_S3: this.url,
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
    };
  }

  /** Where the file of an object is. */
  objectFile(key: string): string {
    return join(this.folder, BUCKET, key);
  }

  /** Names of the objects below `prefix`. */
  async objects(prefix: string): Promise<string[]> {
    return readdir(this.objectFile(prefix)).catch(() => []);
  }

  /** Starts it again where it was. */
  async resume(): Promise<void> {
    if (program === undefined) throw new Error('DROVER_TEST_S3 is not set: run npm run test:engines');
    const running = new Program({
      name: 'the S3 server',
      command: program,
      args: ['--port', new URL(this.url).host, 'posix', this.folder],
      env: { ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
      logFile: this.logFile,
    });
    this.running = running;
    await eventually(
      () => `the S3 server to listen\n${running.lastWords}`,
      async () => (await fetch(this.url).then(Boolean, () => undefined)) ?? undefined,
    );
  }

  /** Ends it; its objects stay. */
  async stop(): Promise<void> {
    await this.running?.kill('SIGKILL');
  }

  private get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }
}
