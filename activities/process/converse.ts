/** Speaks with a tool line by line while it runs: `ssh`. For what is only run to its end there is `run.ts`. */
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { ToolOptions } from './run.js';

/** How a tool that was spoken with ended. */
export interface ConversationEnd {
  /** Null where it did not run, or a signal ended it. */
  exitCode: number | null;
  /** True when its time was over. */
  timedOut: boolean;
  /** True when there is no such tool. */
  missing: boolean;
  stderr: string;
}

/** A tool that runs. */
export interface Conversation {
  /** The next line that it says; undefined when it says nothing more. */
  hear: () => Promise<string | undefined>;
  /** Tells it a line; one that it does not read any more is lost. */
  say: (line: string) => void;
  /** Tells it nothing more, and waits for its end; never rejects for what the tool did. */
  end: () => Promise<ConversationEnd>;
}

/** More than a tool is asked for unless something else is said; one that says more is ended. */
const MAX_OUTPUT_BYTES = 65_536;
/** Between asking a tool to end and ending it. */
const KILL_AFTER_MS = 500;

/** Starts `command` without a shell, to be spoken with; it ends at the latest when its time is over. */
export function converse(
  command: string,
  args: readonly string[],
  options: ToolOptions & { maxOutputBytes?: number },
): Conversation {
  const { maxOutputBytes = MAX_OUTPUT_BYTES } = options;
  const child = execa(command, args, {
    reject: false,
    stdin: 'pipe',
    buffer: { stdout: false, stderr: true },
    timeout: options.timeoutMs,
    forceKillAfterDelay: KILL_AFTER_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
    ...(options.env === undefined ? {} : { env: options.env, extendEnv: false }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  child.stdin.on('error', () => undefined); // It reads no more; its end says why.
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxOutputBytes) child.kill('SIGKILL');
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async hear() {
      const next = await lines.next();
      return next.done === true ? undefined : next.value;
    },
    say: (line) => void child.stdin.write(`${line}\n`),
    async end() {
      child.stdin.end();
      const { exitCode, timedOut, code, stderr } = await child;
      return { exitCode: exitCode ?? null, timedOut, missing: code === 'ENOENT', stderr };
    },
  };
}
