/** What was done to a pool, line by line: every step of the last run of each operation, what it took, and how the run ended. */
import { operation, type Operation } from '../../contracts/operation.js';
import { OPERATION_KINDS, poolWorkflowId, type OperationKind } from '../../domain/identity.js';
import { CliError } from '../client/cli-error.js';
import type { Session } from '../session.js';
import { readAs } from './read-as.js';

/** A line of a pool's history. */
export interface HistoryLine {
  at_ms: number;
  kind: OperationKind;
  step: string;
  text: string;
}

/** The last run of each operation that the pool ever had. */
export async function readOperations(session: Session, pool: string): Promise<Operation[]> {
  const found = await Promise.all(OPERATION_KINDS.map((kind) => readOperation(session, pool, kind)));
  return found.filter((known) => known !== undefined);
}

/** Their lines, in the order of time. @param before - what stands before each */
export function historyOf(
  operations: readonly Operation[],
  before: (operation: Operation) => string = () => '',
): string[] {
  return operations
    .flatMap((known) => linesOf(known).map((line) => ({ line, before: before(known) })))
    .sort((a, b) => a.line.at_ms - b.line.at_ms)
    .map((told) => `${told.before}${inWords(told.line)}`);
}

async function readOperation(
  session: Session,
  pool: string,
  kind: OperationKind,
): Promise<Operation | undefined> {
  try {
    const id = encodeURIComponent(poolWorkflowId(pool, kind));
    return await readAs(session, `/v2/operations/${id}`, operation);
  } catch (err) {
    if (err instanceof CliError && err.code === 'OPERATION_NOT_FOUND') return undefined;
    throw err;
  }
}

function linesOf(known: Operation): HistoryLine[] {
  const { kind, steps, ended_at_ms } = known;
  const begun = steps.map(({ step, doing, at_ms, duration_ms }) => ({
    ...{ at_ms, kind, step },
    text: duration_ms === null ? doing : `${doing} (${duration_ms} ms)`,
  }));
  return ended_at_ms === null ? begun : [...begun, endLine(known)];
}

/** How a run ended: what it answered, or why it failed. */
export function endLine({
  kind,
  status,
  error,
  outcome,
  ended_at_ms,
  started_at_ms,
}: Operation): HistoryLine {
  const why = error === null ? figuresOf(outcome) : `: ${error.message} (${error.code})`;
  return { at_ms: ended_at_ms ?? started_at_ms, kind, step: 'end', text: `${status}${why}` };
}

/** A line as it is printed. */
export function inWords({ at_ms, kind, text }: HistoryLine): string {
  return `${clock(at_ms)}  ${kind.padEnd(7)}  ${text}`;
}

function figuresOf(outcome: Operation['outcome']): string {
  const figures = Object.entries(outcome ?? {}).flatMap(([name, value]) =>
    ['string', 'number', 'boolean'].includes(typeof value) ? [`${name}=${String(value)}`] : [],
  );
  return figures.length === 0 ? '' : `: ${figures.join(' ')}`;
}

/** A time of the history. */
export function clock(atMs: number): string {
  return new Date(atMs).toISOString();
}
