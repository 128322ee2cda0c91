/** From an installation of a node to those who watch it: each of its steps as it begins, then its end, which ends the stream. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeOperation } from '../../contracts/node-install.js';
import type { EventStream } from '../plugins/sse.js';

/** Between two looks; steps take seconds. */
const LOOK_EVERY_MS = 500;

/** How far a reader is: the run, and the step of it that it has had. */
export interface StepPlace {
  runId: string;
  index: number;
}

/** `id:` of a step; an end is behind all of them. */
export function formatStepPlace({ runId, index }: StepPlace): string {
  return `${runId}.${index}`;
}

/** The step that an `id:` names; undefined where it is none. */
export function readStepPlace(id: string): StepPlace | undefined {
  const [, runId, index] = /^([\w-]{1,64})\.(\d{1,4})$/.exec(id) ?? [];
  return runId === undefined ? undefined : { runId, index: Number(index) };
}

/** Serves one reader until the installation has ended, or it leaves. @param look - how the installation stands now */
export async function relayInstall(
  first: NodeOperation,
  look: () => Promise<NodeOperation | undefined>,
  stream: EventStream,
  after: StepPlace | undefined,
): Promise<void> {
  let told = after?.runId === first.run_id ? after.index + 1 : 0;
  let seen: NodeOperation | undefined = first;
  while (!stream.isClosed()) {
    if (seen !== undefined && !stream.isBlocked()) {
      const text = textOf(seen, told);
      // A step may take minutes: writing nothing would put off the comments that keep the reader.
      if (text !== '') stream.write(text);
      told = Math.max(told, seen.steps.length);
      if (seen.status !== 'running') return stream.end();
    }
    await delay(LOOK_EVERY_MS, undefined, { ref: false });
    // What is away now may be back at the next look; the stream's comments keep its reader.
    seen = await look().catch(() => undefined);
    if (seen?.run_id !== first.run_id) seen = undefined;
  }
}

function textOf(operation: NodeOperation, told: number): string {
  const { operation_id, run_id, kind, steps, status } = operation;
  const event = (type: string, index: number, data: unknown) =>
    `id: ${formatStepPlace({ runId: run_id, index })}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  const begun = steps
    .slice(told)
    .map(({ step, doing, at_ms }, nth) =>
      event('step', told + nth, { operation_id, run_id, kind, step, doing, at_ms }),
    );
  const end = status === 'running' ? '' : event('end', steps.length, operation);
  return `${begun.join('')}${end}`;
}
