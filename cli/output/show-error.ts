/** Errors on standard error: a record with `--json`, else lines that name code, reason and next step (B-EXIT-002). */
import { CliError, Interrupted, type ErrorRecord } from '../client/cli-error.js';
import { nextStep } from '../client/next-step.js';
import type { Output } from './output.js';

/** Shows what ended a command, and says with which code the process ends. */
export function showError(err: unknown, output: Output): number {
  if (err instanceof Interrupted) return err.exitCode;
  const error = err instanceof CliError ? err : unforeseen(err);
  const record = error.toRecord(nextStep(error.code));
  if (output.json) output.complain(JSON.stringify(record));
  else for (const line of inLines(record, output)) output.complain(line);
  return error.exitCode;
}

function unforeseen(err: unknown): CliError {
  const reason = err instanceof Error ? err.message : String(err);
  return new CliError('INTERNAL', reason, { cause: err });
}

function inLines(record: ErrorRecord, output: Output): string[] {
  const { code, message, details, correlation_id, suggested_action } = record;
  return [
    `${output.paintNote('red', 'error')} ${code}: ${message}`,
    ...detailLines(details, message).map((line) => `  ${line}`),
    ...(correlation_id === undefined ? [] : [`  correlation id: ${correlation_id}`]),
    ...(suggested_action === undefined ? [] : [`  next: ${suggested_action}`]),
    ...(code === 'INTERNAL' && record['status'] === undefined
      ? ['  this is a defect of the command line']
      : []),
  ];
}

/** The API's details are a list of fields; our own are names and values, of which the message has some already. */
function detailLines(details: unknown, message: string): string[] {
  if (Array.isArray(details)) return details.map(fieldLine);
  if (typeof details !== 'object' || details === null) return [];
  return (
    Object.entries(details)
      .filter(([, value]) => value !== undefined && typeof value !== 'object')
      // What had come of an answer stands on standard output.
      .filter(([name, value]) => name !== 'partial_text' && !message.includes(String(value)))
      .map(([name, value]) => `${name}: ${String(value)}`)
  );
}

function fieldLine(detail: unknown): string {
  const { field, problem } = Object(detail) as Record<string, unknown>;
  return `${String(field)}: ${String(problem)}`;
}
