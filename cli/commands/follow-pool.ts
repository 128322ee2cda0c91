/** What is done to a pool, as it happens. */
import { poolEvents } from '../../contracts/operation.js';
import { workerList } from '../../contracts/worker-report.js';
import { CliError } from '../client/cli-error.js';
import type { StreamEvent } from '../client/event-stream.js';
import type { Taken } from '../client/follow.js';
import { dataOf } from '../client/task-reader.js';
import type { Session } from '../session.js';
import { followProgress } from './follow-progress.js';
import { clock, endLine, inWords } from './pool-history.js';
import { readAs } from './read-as.js';

/** Tells what is done to a pool until Ctrl-C. @param before - stands before each line */
export async function followPool(session: Session, pool: string, before = ''): Promise<void> {
  await followProgress(session, {
    kind: 'SSE_CONNECTION',
    path: `/v2/pools/${encodeURIComponent(pool)}/events`,
    take: (event) => takeEvent(session, event, { pool, before }),
  }).catch(async (err: unknown) => {
    throw await orNoWorkers(session, err);
  });
}

/** Of a pool that is not known there is nothing to tell; where there is no engine at all, that is why (B-LOAD-005). */
async function orNoWorkers(session: Session, err: unknown): Promise<unknown> {
  if (!(err instanceof CliError) || err.more.details?.['cause_code'] !== 'POOL_NOT_FOUND') return err;
  const found = await readAs(session, '/v2/workers/list', workerList).catch(() => undefined);
  if (found === undefined || found.workers.length > 0) return err;
  return CliError.of('NO_WORKERS_FOR_SSE', 'no engine is there whose events could be told', {
    details: { operation: 'events', expected: '1 engine or more', actual: 0, cause_code: 'POOL_NOT_FOUND' },
    correlationId: err.more.correlationId,
  });
}

async function takeEvent(
  { out }: Session,
  event: StreamEvent,
  { pool, before }: { pool: string; before: string },
): Promise<Taken> {
  const line = lineOf(event);
  if (line === undefined) return 'nothing';
  const whose = before === '' ? {} : { pool_id: pool };
  if (out.json)
    await out.line(JSON.stringify({ type: event.event, ...whose, data: JSON.parse(event.data) as unknown }));
  else await out.line(`${before}${line}`);
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
