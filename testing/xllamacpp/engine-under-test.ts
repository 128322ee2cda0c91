/** Starts engines as real processes for the tests, speaks their HTTP, and ends whatever is left over. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../free-port.js';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
/** A loaded machine needs a few seconds to start Node, llama.cpp and the model. */
const START_MS = 60_000;
/** llama-server closes a connection after a hundred requests, which may be as the next one is sent. */
const ONE_CONNECTION_EACH = { connection: 'close' };
const run = promisify(execFile);

/** A chunk of a `/completion` stream. */
export interface Chunk {
  readonly content: string;
  readonly tokens: number[];
  readonly stop: boolean;
  readonly stop_type?: string;
  readonly stopping_word?: string;
  readonly tokens_predicted: number;
  readonly tokens_evaluated: number;
  readonly truncated?: boolean;
  readonly timings?: Record<string, number>;
}

/** An answer with its body read. */
export interface Reply<T> {
  readonly status: number;
  readonly body: T;
}

/** Which program to test. */
export type Program = 'embedded' | { readonly llamaServer: string };

/**
 * Installs the engine's packages if need be, and finds the demo model: `DROVER_TEST_MODEL`, or one made in a folder that
 * `remove` deletes.
 */
export async function prepareModel(): Promise<{ model: string; remove: () => Promise<void> }> {
  await run(process.execPath, [join(REPOSITORY, 'setup', 'install-embedded-engine.mjs')]);
  const ready = process.env.DROVER_TEST_MODEL;
  if (ready !== undefined && existsSync(ready)) return { model: ready, remove: () => Promise.resolve() };
  const folder = await mkdtemp(join(tmpdir(), 'drover-engine-'));
  const model = join(folder, 'demo.gguf');
  const generator = join(REPOSITORY, 'engines', 'demo-model', 'main.ts');
  await run(process.execPath, ['--import', 'tsx', generator, '--out', model], { cwd: REPOSITORY });
  return { model, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** An engine process. */
export class EngineUnderTest {
  readonly #child: ChildProcess;
  /** Exit code and signal, when it has ended. */
  readonly exited: Promise<readonly [number | null, NodeJS.Signals | null]>;
  /** What it has written to stderr so far. */
  stderr = '';
  /** The lines of its stdout so far. */
  readonly lines: string[] = [];

  private constructor(
    child: ChildProcess,
    readonly url: string,
  ) {
    this.#child = child;
    this.exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.lines.push(...lines);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  /** Starts a program on a free port, without waiting for it. */
  static async spawn(
    program: Program,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<EngineUnderTest> {
    const port = await freePort();
    const own = ['--import', 'tsx', join(REPOSITORY, 'engines', 'embedded', 'main.ts')];
    const [command, first] = program === 'embedded' ? [process.execPath, own] : [program.llamaServer, []];
    const child = spawn(command, [...first, '--port', String(port), '--n-gpu-layers', '0', ...args], {
      cwd: REPOSITORY,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new EngineUnderTest(child, `http://127.0.0.1:${port}`);
  }

  /** Starts a program and waits until it is healthy. */
  static async start(program: Program, args: readonly string[]): Promise<EngineUnderTest> {
    const engine = await EngineUnderTest.spawn(program, args);
    await engine.untilHealthy();
    return engine;
  }

  /** Waits for `/health` to answer 200; returns the statuses seen on the way. */
  async untilHealthy(): Promise<number[]> {
    const seen: number[] = [];
    const deadline = Date.now() + START_MS;
    for (;;) {
      const status = await fetch(`${this.url}/health`).then(
        (response) => response.status,
        () => 0,
      );
      if (seen.at(-1) !== status) seen.push(status);
      if (status === 200) return seen;
      if (this.#child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the engine did not become healthy: ${this.stderr}`);
      }
      await pause(10);
    }
  }

  /** Sends a JSON body and reads a JSON answer. */
  async post<T = Chunk>(path: string, body: unknown, signal?: AbortSignal): Promise<Reply<T>> {
    const response = await this.#send(path, typeof body === 'string' ? body : JSON.stringify(body), signal);
    return { status: response.status, body: (await response.json()) as T };
  }

  /** Reads JSON. */
  async get<T>(path: string): Promise<Reply<T>> {
    const response = await fetch(this.url + path, { headers: ONE_CONNECTION_EACH });
    return { status: response.status, body: (await response.json()) as T };
  }

  /** Reads a whole stream of events. */
  async stream<T = Chunk>(path: string, body: object): Promise<T[]> {
    const events: T[] = [];
    for await (const event of this.events<T>(path, body)) events.push(event);
    return events;
  }

  /** The events of a stream as they come; ends before `[DONE]`. */
  async *events<T = Chunk>(path: string, body: object, signal?: AbortSignal): AsyncGenerator<T, void, void> {
    const response = await this.#send(path, JSON.stringify({ ...body, stream: true }), signal);
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    let rest = '';
    const decoder = new TextDecoder();
    for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
      const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        if (part.startsWith('data: ') && part !== 'data: [DONE]') yield JSON.parse(part.slice(6)) as T;
      }
    }
  }

  /** How many slots are busy. */
  async busySlots(): Promise<number> {
    const { body } = await this.get<{ is_processing: boolean }[]>('/slots');
    return body.filter((slot) => slot.is_processing).length;
  }

  /** Waits until so many slots are busy; fails after a second and a half. Returns how long it took, in ms. */
  async untilBusy(count: number): Promise<number> {
    const startedAt = performance.now();
    while ((await this.busySlots()) !== count) {
      if (performance.now() - startedAt > 1500) throw new Error(`there never were ${count} busy slots`);
      await pause(1);
    }
    return performance.now() - startedAt;
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process if it is still there. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  #send(path: string, body: string, signal?: AbortSignal): Promise<Response> {
    const headers = ONE_CONNECTION_EACH;
    return fetch(this.url + path, {
      method: 'POST',
      headers,
      body,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}
