/** `tasks attach` prints a task's text; `tasks events` (or `logs`) its frames, one a line. Leaving ends nothing. */
import type { Command } from 'commander';
import { followStream } from '../client/follow.js';
import { followTask } from '../client/follow-task.js';
import { TaskReader } from '../client/task-reader.js';
import { acts, type Runtime, type Session, type Work } from '../session.js';
import type { StreamEvent } from '../client/event-stream.js';

/** Adds the commands. */
export function addTaskEvents(tasks: Command, runtime: Runtime): void {
  tasks
    .command('attach')
    .description('print the text of a task from its start, and go on with it until it ends')
    .argument('<id>', 'its id')
    .action(acts(runtime, attach));
  for (const command of [
    tasks.command('events').description('print the frames of a task, one a line, until it ends'),
    tasks.command('logs').description('the same as "tasks events"'),
  ])
    command.argument('<id>', 'its id').action(acts(runtime, tellFrames));
}

const attach: Work<object> = (session, [id = '']) => printTask(session, id, undefined);

/**
 * Prints a task's text as it comes; with `--json` the whole of it at its end.
 * @param maxTokens - what it was asked for; undefined where that is not known
 */
export async function printTask(
  session: Session,
  taskId: string,
  maxTokens: number | undefined,
): Promise<void> {
  const { http, out } = session;
  let text = '';
  const end = await followTask(http, {
    ...{ taskId, maxTokens },
    onToken: (t) => {
      if (!out.json) return out.write(t);
      text += t;
    },
    onNote: (note) => out.note(note),
  });
  if (out.json) await out.line(JSON.stringify({ task_id: taskId, text, ...end }));
  else if (out.isTerminal) await out.line('');
}

const tellFrames: Work<object> = async ({ http, out }, [id = '']) => {
  const { connectMs, firstEventMs, idleMs } = http.limits;
  // It knows the frames, where each belongs, and which is the last.
  const reader = new TaskReader({ onToken: () => undefined });
  await followStream(http, {
    kind: 'TOKEN_STREAM',
    path: `/v2/tasks/${encodeURIComponent(id)}/events`,
    limits: { connectMs, firstEventMs, idleMs, commentsCount: false },
    take: async (event) => {
      // The error that ends a task is a frame like others, and then ends this command.
      if (event.event === 'error') await out.line(frameLine(event, out.json));
      const taken = await reader.take(event);
      if (taken !== 'nothing') await out.line(frameLine(event, out.json));
      return taken;
    },
    onCut: (reason) => out.note(`${reason}; connecting again`),
  });
};

function frameLine({ id, event, data }: StreamEvent, asJson: boolean): string {
  if (!asJson) return `${(id ?? '-').padStart(6)}  ${event.padEnd(8)}  ${data}`;
  return JSON.stringify({ id: id ?? null, event, data: JSON.parse(data) as unknown });
}
