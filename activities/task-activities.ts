/** Local activities of the queue `tasks`: short calls to the node that has the task, made by any API process. */
import type { Transcript } from '../contracts/artifact.js';
import type { ErrorEnvelope } from '../contracts/errors.js';
import { closesStream, type Frame } from '../contracts/events.js';
import type { Destination, InferTaskInput, MovedTask, MoveTaskInput, RunView } from '../contracts/node.js';
import type { CancelReason } from '../domain/task.js';
import { asFailure } from './as-failure.js';

/** The calls that are made, as the node's client offers them. */
export interface RunLink {
  /** `PUT /runs/:task_id`: offer, confirm, wait at most `waitMs` for the end. */
  attach(nodeId: string, offer: InferTaskInput, waitMs: number): Promise<RunView>;
  cancel(nodeId: string, taskId: string, reason: CancelReason): Promise<RunView>;
  /** All frames of a run that has ended; undefined where the node knows no such run. */
  transcript(nodeId: string, taskId: string): Promise<Frame[] | undefined>;
}

/** Stores a task's transcript; returns its artifact's id. */
export type KeepTranscript = (taskId: string, transcript: Transcript) => Promise<string>;

/** How tasks go from one place to another. */
export interface TaskMoves {
  /** Where a task could wait instead of in its pool, which is drained; null where it waits best there. */
  findPlace: (input: InferTaskInput) => Promise<Destination | null>;
  /** Gives a task to another pool, in the next epoch. */
  moveTask: (input: MoveTaskInput) => Promise<MovedTask>;
}

/** Whose transcript is to be kept. */
export interface TranscriptOrder {
  node_id: string;
  task_id: string;
  /** Why the task failed, where its node is given up: kept alone when the node does not answer. */
  failure?: ErrorEnvelope;
}

/** A run that ends sooner is followed without another workflow task (design §2.5). */
const SHORT_FOLLOW_MS = 1_400;

/** Builds the local activities. */
export function createTaskActivities(link: RunLink, keep: KeepTranscript, moves: TaskMoves) {
  return {
    /** Confirms the run at its node and follows it for a moment; may run twice, having no other effect. */
    attachRun: (input: InferTaskInput): Promise<RunView> =>
      asFailure(() => link.attach(input.node_id, input, SHORT_FOLLOW_MS)),

    /** Ends the run at its node; resolves when its slot is free. */
    cancelRun: (input: { node_id: string; task_id: string }): Promise<RunView> =>
      asFailure(() => link.cancel(input.node_id, input.task_id, 'client')),

    /** Where a task that waits in a drained pool could wait instead; changes nothing. */
    findPlace: (input: InferTaskInput): Promise<Destination | null> =>
      asFailure(() => moves.findPlace(input)),

    /** Gives a task whose node is lost, or whose pool is drained, to another; done twice it is done once. */
    moveTask: (input: MoveTaskInput): Promise<MovedTask> => asFailure(() => moves.moveTask(input)),

    /**
     * Stores every frame of an ended run as an artifact (B-DP-140); again is the same artifact.
     * @returns its id; null where there is nothing left to keep
     */
    keepTranscript: async ({ node_id, task_id, failure }: TranscriptOrder): Promise<string | null> => {
      const frames = await asFailure(() => link.transcript(node_id, task_id)).catch((err: unknown) => {
        if (failure === undefined) throw err;
        return undefined; // The node is gone, and the failure says so.
      });
      const events: Transcript['events'] = (frames ?? []).map(({ type, data }) => ({ type, data }));
      if (failure !== undefined && !events.some(closesStream)) events.push({ type: 'error', data: failure });
      return events.length === 0 ? null : asFailure(() => keep(task_id, { events }));
    },
  };
}

/** The local activities of `tasks`, as workflows see them. */
export type TaskActivities = ReturnType<typeof createTaskActivities>;
