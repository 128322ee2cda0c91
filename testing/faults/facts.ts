/** All that is known after a seed was played: what the clients saw, and what everybody else says about the same tasks. */
import type { Frame } from '../../contracts/events.js';
import type { PoolHealth } from '../../contracts/pool.js';
import type { TaskStatus } from '../../contracts/task.js';
import type { SeenEvent } from './event-blocks.js';
import type { Plan, PlannedPreload } from './plan.js';
import type { Exchange, Story } from './story.js';

/** What a task says when nobody disturbs it. */
export interface Saying {
  text: string;
  tokensOut: number;
  /** OpenAI's word. */
  finishReason: string;
}

/** A task's workflow, as an operator finds it. */
export interface WorkflowFacts {
  /** Temporal's own word, such as `COMPLETED`. */
  status: string;
  /** Type of the failure that ended it. */
  failure: string | undefined;
  /** Search attribute `TaskState`. */
  state: string | undefined;
  tokensOut: number | undefined;
}

/** A task's run log, read from the file. */
export interface LogFacts {
  admissions: number;
  dispatches: number;
  closings: number;
  /** State that the closing record tells. */
  state: string | undefined;
  frames: readonly Frame[];
}

/** What others than its client know of a task. */
export interface TaskFacts {
  /** What a fresh reader gets from offset 0; undefined where there is no stream. */
  replay: readonly SeenEvent[] | undefined;
  /** `GET /v2/tasks/{id}`; undefined where there is no such task. */
  status: TaskStatus | undefined;
  workflow: WorkflowFacts | undefined;
  log: LogFacts | undefined;
}

/** A line of the node worker's log about a task. */
export interface NodeEvent {
  event: 'run_ended' | 'offer_dropped';
  taskId: string;
  /** On the wall clock. */
  at: number;
  /** The run had got a slot. */
  dispatched: boolean;
  state: string | undefined;
  tokensOut: number;
}

/** What the node worker counts, since the clients began. */
export interface Counts {
  tasksStarted: number;
  tokensOut: number;
}

/** What the node worker says. */
export interface NodeFacts {
  /** Undefined where the counting worker was killed. */
  counts: Counts | undefined;
  /** Deaths of the worker and its engines: each run may have been begun once more for each of them. */
  deaths: number;
  queueDepth: number;
  events: readonly NodeEvent[];
}

/** A pool that the operator loaded. */
export interface PreloadFacts {
  planned: PlannedPreload;
  answers: readonly Exchange[];
  /** How the workflow stands. */
  status: string;
  /** Pids of the engines that run for it. */
  engines: readonly number[];
}

/** Everything. */
export interface Facts {
  plan: Plan;
  stories: readonly Story[];
  /** By `wishKey`. */
  undisturbed: ReadonlyMap<string, Saying>;
  /** By task id. */
  tasks: ReadonlyMap<string, TaskFacts>;
  /** What each API says of the pools at the end. */
  pools: readonly (readonly PoolHealth[])[];
  /** Ids of all task workflows, one a run: an id that stands twice was started twice. */
  workflowIds: readonly string[];
  node: NodeFacts;
  preloads: readonly PreloadFacts[];
  /** What was struck and mended, and when. */
  strikes: readonly string[];
  /** Processes that ended by themselves, strikes that could not be mended. */
  accidents: readonly string[];
  /** Processes that outlived the end. */
  leftBehind: readonly string[];
}
