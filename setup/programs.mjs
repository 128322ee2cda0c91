/** Other programs, run to their end: the only place of the set-up that starts processes whose output is kept. */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Characters of a failed program's output that its error message keeps. */
const KEPT_CHARACTERS = 2_000;

/**
 * Finds a program on PATH.
 * @param {string} name
 * @returns {string | undefined} its absolute path
 */
export function onPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (folder !== '' && statSync(file).isFile()) return file;
    } catch {
      // Not here; the next folder.
    }
  }
  return undefined;
}

/**
 * Runs a program to its end, without standard input.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, timeoutMs: number }} options `timeoutMs`: then it is killed
 * @returns {Promise<string>} its standard output
 * @throws Error with the end of its output when it fails or takes too long
 */
export function run(command, args, { cwd, env, timeoutMs }) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const stop = () => {
      child.kill('SIGTERM');
      process.exit(143); // 128 + SIGTERM, as shells say it.
    };
    process.once('SIGTERM', stop);
    child.on('close', () => process.off('SIGTERM', stop));
    let [out, all, late] = ['', '', false];
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
      all += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => (all += text));
    child.on('error', (error) => {
      clearTimeout(timer);
      failed(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return done(out);
      const why = late ? `took longer than ${timeoutMs / 1000} s` : `ended with ${signal ?? `code ${code}`}`;
      failed(new Error(`${command} ${args[0] ?? ''} ${why}\n${all.slice(-KEPT_CHARACTERS).trim()}`));
    });
  });
}
