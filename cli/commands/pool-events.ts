/** `pools events` and `logs`: what was done to a pool, step by step, and with `--follow` what is done as it happens. */
import type { Command } from 'commander';
import { operation, poolEvents, type Operation } from '../../contracts/operation.js';
import { OPERATION_KINDS, poolWorkflowId, type OperationKind } from '../../domain/identity.js';
import { CliError } from '../client/cli-error.js';
import type { StreamEvent } from '../client/event-stream.js';
import { followStream, type Taken } from '../client/follow.js';
import { dataOf } from '../client/task-reader.js';
import { acts, type Runtime, type Session, type Work } from '../session.js';
import { readAs } from './read-as.js';

interface EventOptions {
  follow?: boolean;
}

/** A line of a pool's history. */
interface HistoryLine {
  at_ms: number;
  kind: OperationKind;
  step: string;
  text: string;
}

/** Adds the commands. */
export function addPoolEvents(program: Command, pools: Command, runtime: Runtime): void {
  for (const command of [
    pools.command('events').description('what was done to a pool, step by step'),
    program.command('logs').description('the same as "pools events"'),
  ]) {
    command
      .argument('[pool]', 'its id', 'default')
      .option('-f, --follow', 'go on with what happens, until Ctrl-C')
      .action(acts(runtime, tell));
  }
}

const tell: Work<EventOptions> = async (session, [pool = ''], { follow = false }) => {
  if (follow) await followPool(session, pool);
  else await tellPast(session, pool);
};

async function tellPast(session: Session, pool: string): Promise<void> {
  const found = await Promise.all(OPERATION_KINDS.map((kind) => readOperation(session, pool, kind)));
  const operations = found.filter((known) => known !== undefined);
  // Nothing was ever done to a pool that is there; of one that is not, this says so.
  if (operations.length === 0)
    await session.http.json({ path: `/v2/pools/${encodeURIComponent(pool)}/health` });
  const lines = operations.flatMap(linesOf).sort((a, b) => a.at_ms - b.at_ms);
  await session.out.show({ operations }, () => lines.map(inWords));
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

async function followPool(session: Session, pool: string): Promise<void> {
  const { http, out } = session;
  const { connectMs, idleMs } = http.limits;
  await followStream(http, {
    kind: 'SSE_CONNECTION',
    path: `/v2/pools/${encodeURIComponent(pool)}/events`,
    limits: { connectMs, firstEventMs: undefined, idleMs, commentsCount: true },
    take: (event) => takeEvent(session, event),
    onCut: (reason) => out.note(`${reason}; connecting again`),
  });
}

async function takeEvent({ out }: Session, event: StreamEvent): Promise<Taken> {
  const line = lineOf(event);
  if (line === undefined) return 'nothing';
  if (out.json)
    await out.line(JSON.stringify({ type: event.event, data: JSON.parse(event.data) as unknown }));
  else await out.line(line);
  return 'new';
}

function lineOf(event: StreamEvent): string | undefined {
  switch (event.event) {
    case 'step': {
      const { at_ms, kind, step, doing } = dataOf(event, poolEvents.step);
      return inWords({ at_ms, kind, step, text: doing });
    }
    case 'end':
      return inWords(endLine(dataOf(event, poolEvents.end)));
    case 'status': {
      const { state, active_leases, metrics } = dataOf(event, poolEvents.status);
      return `${clock(Date.now())}  pool     ${state}: ${active_leases} running, ${metrics.queue_depth} waiting`;
    }
    default:
      return undefined;
  }
}

function linesOf(known: Operation): HistoryLine[] {
  const { kind, steps, ended_at_ms } = known;
  const begun = steps.map(({ step, doing, at_ms }) => ({ at_ms, kind, step, text: doing }));
  return ended_at_ms === null ? begun : [...begun, endLine(known)];
}

function endLine({ kind, status, error, ended_at_ms, started_at_ms }: Operation): HistoryLine {
  const why = error === null ? '' : `: ${error.message} (${error.code})`;
  return { at_ms: ended_at_ms ?? started_at_ms, kind, step: 'end', text: `${status}${why}` };
}

function inWords({ at_ms, kind, text }: HistoryLine): string {
  return `${clock(at_ms)}  ${kind.padEnd(7)}  ${text}`;
}

function clock(atMs: number): string {
  return new Date(atMs).toISOString();
}
