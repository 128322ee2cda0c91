/** `drover doctor`: looks at everything between this terminal and a token, and says what to do about what is wrong. */
import type { Command } from 'commander';
import { CliError } from '../client/cli-error.js';
import { acts, type Runtime, type Session } from '../session.js';
import { checkAll, type Check } from './checks.js';

/** Adds `doctor`. */
export function addDoctor(program: Command, runtime: Runtime): void {
  program
    .command('doctor')
    .description('look whether API, key, versions, clocks, Temporal and pools are well')
    .action(acts(runtime, examine));
}

async function examine(session: Session): Promise<void> {
  const { out } = session;
  const checks: Check[] = [];
  for await (const check of checkAll(session)) {
    checks.push(check);
    if (!out.json) for (const line of inLines(session, check)) await out.line(line);
  }
  const failed = checks.filter(({ ok }) => !ok);
  const told = checks.map(({ timedOut: _timedOut, ...check }) => check);
  if (out.json) await out.line(JSON.stringify({ ok: failed.length === 0, checks: told }));
  if (failed.length === 0) return;
  throw CliError.of('CHECK_FAILED', `${failed.length} of ${checks.length} checks failed`, {
    details: { failed: failed.map(({ name }) => name).join(', ') },
    timedOut: failed.some(({ timedOut }) => timedOut === true),
  });
}

function inLines({ out }: Session, { name, ok, message, code, suggested_action }: Check): string[] {
  const verdict = ok ? out.paint('green', 'ok  ') : out.paint('red', 'FAIL');
  const said = code === undefined ? message : `${message} (${code})`;
  return [
    `${verdict}  ${name.padEnd(8)}  ${said}`,
    ...(suggested_action === undefined ? [] : [`      next: ${suggested_action}`]),
  ];
}
