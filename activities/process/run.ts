/** Runs a tool to its end: `nvidia-smi`, `ps`. For what goes on running there is `spawn-detached.ts`. */
import { execa } from 'execa';

/** What a tool is given. */
export interface ToolOptions {
  /** It is ended when it takes longer; a driver that hangs must not hang us. */
  timeoutMs: number;
  /** Its whole environment; default: that of this process. */
  env?: Record<string, string | undefined>;
  signal?: AbortSignal;
}

/** How a tool ended. */
export interface ToolResult {
  /** True when it ran and ended with code 0. */
  ok: boolean;
  stdout: string;
  stderr: string;
  /** One line for people: `nvidia-smi ended with code 9`, `ps timed out after 2000 ms`. */
  outcome: string;
}

/** More than any tool of ours says; what is beyond is cut off. */
const MAX_OUTPUT_CHARACTERS = 1_000_000;
/** Between asking a tool to end and ending it. */
const KILL_AFTER_MS = 500;

/** Runs `command` without a shell and answers how it ended; it never rejects for what the tool did. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<ToolResult> {
  const result = await execa(command, args, {
    reject: false,
    stdin: 'ignore',
    timeout: options.timeoutMs,
    forceKillAfterDelay: KILL_AFTER_MS,
    maxBuffer: MAX_OUTPUT_CHARACTERS,
    ...(options.env === undefined ? {} : { env: options.env, extendEnv: false }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  return {
    ok: !result.failed,
    stdout: result.stdout,
    stderr: result.stderr,
    outcome: result.failed
      ? (result.shortMessage ?? `${command} failed`)
      : `${command} ended with code ${result.exitCode ?? 0}`,
  };
}
