/** Runs a program to its end, for tests: what it prints, or why it failed. */
import { spawn } from 'node:child_process';

/**
 * @returns its standard output
 * @throws Error with the end of its error output when it fails
 */
export function runToEnd(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else
        reject(new Error(`${command} ${args.join(' ')} ended with ${String(code)}\n${errors.slice(-2000)}`));
    });
  });
}
