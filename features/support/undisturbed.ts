/** What a task says when nothing happens to it: run once more, under another id, on the stack that all scenarios share. */
import { randomUUID } from 'node:crypto';
import type { EventReader } from './event-reader.js';
import { theRun } from './run.js';

/** Runs the task and reads its stream to the end. @throws Error when it is not accepted or does not complete */
export async function runUndisturbed(body: Record<string, unknown>): Promise<EventReader> {
  const { client } = theRun().stacks.shared.mustApi();
  const task_id = `undisturbed-${randomUUID()}`;
  const answer = await client.request('POST', '/v2/tasks', { body: { ...body, task_id } });
  if (answer.status !== 202) throw new Error(`the undisturbed run: ${answer.status} ${answer.text}`);
  const reader = await client.openEvents(task_id);
  const last = await reader.waitForClose();
  if (last?.event !== 'end') throw new Error(`the undisturbed run ended with ${last?.raw ?? 'nothing'}`);
  return reader;
}
