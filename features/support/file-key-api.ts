/** An API whose keys stand in a file, which may change while it runs. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Program } from '../../testing/program.js';
import { ApiClient } from './api-client.js';
import type { Stack } from './stack.js';

/** The running API. */
export class FileKeyApi {
  private constructor(
    private readonly file: string,
    private readonly program: Program,
    private readonly client: ApiClient,
  ) {}

  /** Starts it; `start` keeps the process, so that it ends with the scenario. */
  static async start(stack: Stack, keys: string, start: (program: Program) => void): Promise<FileKeyApi> {
    const file = join(stack.stateDir, 'keys-in-a-file');
    await write(file, keys);
    const program = stack.apiProgram({ DROVER_API_KEYS: '', DROVER_API_KEYS_FILE: file });
    start(program);
    const { url } = await program.waitForLog('the event "listening"', ({ event }) => event === 'listening');
    return new FileKeyApi(file, program, new ApiClient(String(url), keys));
  }

  /** Changes the file, tells the process, and waits until it says what it made of it. */
  async change(keys: string): Promise<void> {
    const told = () => this.program.logLines.filter(({ event }) => isVerdict(event)).length;
    const before = told();
    await write(this.file, keys);
    process.kill(this.program.pid, 'SIGHUP');
    await this.program.waitForLog('secrets to be read again', () => told() > before);
  }

  /** Status of a request with this bearer. */
  async status(request: string, bearer: string): Promise<number> {
    const [method = '', path = ''] = request.split(' ');
    const headers = { authorization: `Bearer ${bearer}` };
    return (await this.client.request(method, path, { key: null, headers })).status;
  }
}

const isVerdict = (event: unknown) => event === 'secrets_reloaded' || event === 'secrets_kept';

async function write(file: string, keys: string): Promise<void> {
  await writeFile(file, keys, { mode: 0o600 });
  await chmod(file, 0o600);
}
