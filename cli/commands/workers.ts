/** `workers …`: engines one by one, and how far the model of one has come into memory. */
import type { Command } from 'commander';
import { loadingFrame, type LoadingFrame } from '../../contracts/loading.js';
import { workerList } from '../../contracts/worker-report.js';
import { CliError } from '../client/cli-error.js';
import type { StreamEvent } from '../client/event-stream.js';
import type { Taken } from '../client/follow.js';
import { dataOf } from '../client/task-reader.js';
import { layersLine } from '../output/progress-line.js';
import { table } from '../output/table.js';
import { acts, type Runtime, type Session } from '../session.js';
import { followProgress } from './follow-progress.js';
import { readAs } from './read-as.js';

/** Adds the commands. */
export function addWorkers(program: Command, runtime: Runtime): void {
  const workers = program.command('workers').description('engines one by one: list, progress');
  workers.command('list').description('list engines').action(acts(runtime, list));
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
