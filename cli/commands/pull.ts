/** `pull`: a node fetches a model, and its progress is shown to the end. */
import type { Command } from 'commander';
import { downloadAnswer, downloadFrame, type DownloadFrame } from '../../contracts/download.js';
import { CliError } from '../client/cli-error.js';
import type { StreamEvent } from '../client/event-stream.js';
import type { Taken } from '../client/follow.js';
import { dataOf } from '../client/task-reader.js';
import { progressLine } from '../output/progress-line.js';
import { acts, type Runtime, type Session, type Work } from '../session.js';
import { followProgress } from './follow-progress.js';
import { callAs } from './read-as.js';

interface PullOptions {
  node?: string;
  digest?: string;
  detach?: boolean;
}

/** A model that is there. */
interface Pulled {
  download_id: string;
  local_path?: string;
  digest?: string | null;
}

/** Adds the command. */
export function addPull(program: Command, runtime: Runtime): void {
  program
    .command('pull')
    .description('have a node fetch a model; a download that was cut off goes on where it was')
    .argument('<reference>', 'hf:org/repo[/file], https://…, s3://bucket/key, or a model of the catalogue')
    .option('--node <id>', 'the node; without it the one with the fewest pools')
    .option('--digest <sha256:hex>', 'what the file must be')
    .option('--detach', 'do not wait for the end: it goes on')
    .action(acts(runtime, pull));
}

const pull: Work<PullOptions> = async (session, [reference = ''], { node, digest, detach }) => {
  const body = {
    model_ref: reference,
    ...(node === undefined ? {} : { node_id: node }),
    ...(digest === undefined ? {} : { digest }),
  };
  const pulled = await fetchModel(session, body, detach);
  await session.out.show(pulled, () => pulled.local_path ?? pulled.download_id);
};

/** Has a node fetch a model, and shows its progress to the end. @throws CliError as `follow` does, and as the API refuses it */
export async function fetchModel(
  session: Session,
  body: { model_ref: string; node_id?: string; digest?: string },
  detach = false,
): Promise<Pulled> {
  const call = { method: 'POST', path: '/v1/models/download', body } as const;
  const asked = await callAs(session, call, downloadAnswer);
  const isOver = asked.local_path !== undefined || detach;
  return isOver ? asked : follow(session, asked.download_id);
}

/** @throws CliError SSE_CONNECTION_*, or the reason why the download failed */
async function follow(session: Session, downloadId: string): Promise<Pulled> {
  const { out } = session;
  let pulled: Pulled | undefined;
  const take = (event: StreamEvent): Taken => {
    // Said once more at the end; what came before it is the end.
    if (event.data === '[DONE]') return 'last';
    const told = dataOf(event, downloadFrame);
    if (told.stage === 'downloading') out.progress(out.json ? JSON.stringify(told) : progressLine(told));
    else pulled = endOf(told, downloadId);
    return pulled === undefined ? 'new' : 'last';
  };
  try {
    await followProgress(session, {
      kind: 'SSE_CONNECTION',
      path: `/v1/models/download/progress?id=${encodeURIComponent(downloadId)}`,
      take,
    });
  } finally {
    out.endProgress();
  }
  if (pulled === undefined) throw new TypeError('a download that was followed to its end has one');
  return pulled;
}

/** @throws CliError with the code of a download that failed */
function endOf(told: Exclude<DownloadFrame, { stage: 'downloading' }>, download_id: string): Pulled {
  if (told.stage === 'complete') return { download_id, local_path: told.local_path, digest: told.digest };
  const suggestedAction = 'the same command goes on where it was';
  throw new CliError(told.code, told.message, { details: { download_id }, suggestedAction });
}
