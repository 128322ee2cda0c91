/** `workers …`: engines one by one: how each is, its end, and how far the model of one has come into memory. */
import type { Command } from 'commander';
import { loadingFrame, type LoadingFrame } from '../../contracts/loading.js';
import { workerAlive, workerList, workerReport, type WorkerReport } from '../../contracts/worker-report.js';
import { CliError } from '../client/cli-error.js';
import type { StreamEvent } from '../client/event-stream.js';
import type { Taken } from '../client/follow.js';
import { dataOf } from '../client/task-reader.js';
import { layersLine } from '../output/progress-line.js';
import { table } from '../output/table.js';
import { acts, type Runtime, type Session, type Work } from '../session.js';
import { operate } from './follow-operation.js';
import { drainDeadline } from './pool-operations.js';
import { followProgress } from './follow-progress.js';
import { readAs } from './read-as.js';

/** Adds the commands. */
export function addWorkers(program: Command, runtime: Runtime): void {
  const workers = program
    .command('workers')
    .description('engines one by one: list, health, shutdown, progress');
  workers.command('list').description('list engines').action(acts(runtime, list));
  workers
    .command('health')
    .description('ask engines how they are; one that is not well ends it with 1')
    .option('--node <id>', 'those of this node; without it all')
    .action(acts(runtime, health));
  workers
    .command('shutdown')
    .description('stop an engine once its tasks have ended, as "drover stop" stops its pool')
    .requiredOption('--id <worker>', 'its id, as "drover workers list" has it')
    .addOption(drainDeadline())
    .action(acts(runtime, shutdown));
  workers
    .command('progress')
    .description('tell how far the model of an engine has come into memory, until it is ready')
    .argument('[worker]', 'its id; without it the one that loads')
    .action(acts(runtime, progress));
}

async function list(session: Session): Promise<void> {
  const body = await readAs(session, '/v2/workers/list', workerList);
  await session.out.show(body, () =>
    table(
      ['WORKER', 'MODEL', 'STATE', 'SLOTS', 'LOADED'],
      body.workers.map(
        ({ worker_id, model_name, model_ref, state, slots_available, slots_total, loading }) => [
          ...[worker_id, model_name ?? model_ref ?? '-', state],
          `${slots_available} of ${slots_total} free`,
          loading === undefined ? '-' : `${loading.layers_loaded} of ${loading.layers_total} layers`,
        ],
      ),
    ),
  );
}

/** How one engine answers. */
interface Answer {
  worker_id: string;
  state: string;
  health: string;
  /** Undefined where it is well. */
  code?: string;
}

/** @throws CliError NO_WORKERS, CHECK_FAILED */
const health: Work<{ node?: string }> = async (session, _args, { node }) => {
  const query = node === undefined ? '' : `?node=${encodeURIComponent(node)}`;
  const { workers } = await readAs(session, `/v2/workers/health${query}`, workerList);
  const answers = await Promise.all(workers.map((worker) => ask(session, worker)));
  await session.out.show({ workers: answers }, () =>
    table(
      ['WORKER', 'STATE', 'HEALTH'],
      answers.map(({ worker_id, state, health }) => [worker_id, state, health]),
    ),
  );
  const ill = answers.filter(({ code }) => code !== undefined);
  if (ill.length === 0) return;
  throw CliError.of('CHECK_FAILED', `${ill.length} of ${answers.length} engines are not well`, {
    details: { failed: ill.map(({ worker_id }) => worker_id).join(', ') },
  });
};

async function ask(session: Session, { worker_id, state }: WorkerReport): Promise<Answer> {
  try {
    const path = `/v2/workers/${encodeURIComponent(worker_id)}/health`;
    const said = await readAs(session, path, workerAlive);
    return { worker_id, state: said.state, health: said.status };
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    return { worker_id, state, health: err.message, code: err.code };
  }
}

/** @throws CliError WORKER_NOT_FOUND; INVALID_ARGUMENT for one of several engines of a pool, which come and go together */
const shutdown: Work<{ id: string; deadline: number }> = async (session, _args, { id, deadline }) => {
  const { pool_id } = await readAs(session, `/v2/workers/${encodeURIComponent(id)}`, workerReport);
  const { workers } = await readAs(session, '/v2/workers/list', workerList);
  const others = workers.filter((worker) => worker.pool_id === pool_id && worker.worker_id !== id);
  if (others.length > 0)
    throw CliError.of('INVALID_ARGUMENT', `${id} is one of ${others.length + 1} engines of ${pool_id}`, {
      suggestedAction: `"drover stop ${pool_id}" stops them all`,
    });
  const body = { deadline_ms: deadline };
  const outcome = await operate(session, { pool: pool_id, verb: 'drain', body, detach: false });
  await session.out.show(outcome, () => `${id} is stopped`);
};

/** @throws CliError NO_WORKERS, PROGRESS_STREAM_*, or the reason why the model could not be loaded */
async function progress(session: Session, [worker]: readonly (string | undefined)[]): Promise<void> {
  const { out } = session;
  const query = worker === undefined ? '' : `?worker_id=${encodeURIComponent(worker)}`;
  let ended: LoadingFrame | undefined;
  const take = (event: StreamEvent): Taken => {
    if (event.data === '[DONE]') return ended === undefined ? 'again' : 'last';
    const frame = dataOf(event, loadingFrame);
    if (frame.stage === 'loading_to_vram') out.progress(out.json ? JSON.stringify(frame) : layersLine(frame));
    else ended = frame;
    return 'new';
  };
  try {
    await followProgress(session, {
      kind: 'PROGRESS_STREAM',
      path: `/v2/workers/progress${query}`,
      take,
    });
  } finally {
    out.endProgress();
  }
  if (ended?.stage === 'error')
    throw new CliError(ended.code, ended.message, { details: { worker_id: worker } });
  await out.show(ended, () => 'the model is loaded');
}
