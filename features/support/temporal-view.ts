/** What an operator sees in Temporal: a task's description and history, with the payload keys and without them. */
import { randomUUID } from 'node:crypto';
import {
  Client,
  WorkflowFailedError,
  type Connection,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { ApplicationFailure, type DataConverter } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { readSettings } from '../../contracts/settings.js';
import { taskMemo, type TaskMemo } from '../../contracts/task-record.js';
import type { SupervisionView } from '../../contracts/supervision.js';
import { poolWorkflowId, taskWorkflowId } from '../../domain/identity.js';
import { eventually } from '../../testing/changes.js';
import { requirePayloadKeys, temporalDataConverter } from '../../workers/temporal.js';
import { supervisionQuery } from '../../workflows/messages.js';
import { FirstTokenAt, EndedAt, TaskState, TokensOut } from '../../workflows/search-attributes.js';
import { encodingOf, opened, payloadsIn, textOf, type JsonPayload } from './history-payloads.js';

/** A history event, as Temporal's command line prints it. */
export type HistoryEvent = Readonly<Record<string, unknown>> & { eventType: string };

/** How a workflow ended. */
export interface WorkflowEnd {
  status: string;
  /** Type of the failure, which is the error code. */
  type?: string | null | undefined;
}

/** Temporal through an operator's eyes. */
export class TemporalView {
  private readonly sealed: Client;
  private readonly open: Client;
  private readonly dataConverter: DataConverter;

  /** @param environment - of a process of the stack, for its payload keys */
  constructor(
    private readonly connection: Connection,
    private readonly namespace: string,
    environment: Record<string, string>,
  ) {
    this.dataConverter = temporalDataConverter(requirePayloadKeys(readSettings(environment)));
    this.sealed = new Client({ connection, namespace });
    this.open = new Client({ connection, namespace, dataConverter: this.dataConverter });
  }

  /** Any workflow, its memo opened. */
  describe(workflowId: string): Promise<WorkflowExecutionDescription> {
    return this.open.workflow.getHandle(workflowId).describe();
  }

  /** Cancels any workflow, as an operator does. */
  async cancel(workflowId: string): Promise<void> {
    await this.sealed.workflow.getHandle(workflowId).cancel();
  }

  /** Waits until a workflow has done what it had to. */
  async waitForEnd(workflowId: string): Promise<void> {
    let status = '';
    await eventually(
      () => `the end of ${workflowId}, which is ${status}`,
      async () => {
        status = (await this.describe(workflowId)).status.name;
        return status === 'COMPLETED' ? true : undefined;
      },
    );
  }

  /** The workflow of a task, its memo opened. */
  describeTask(taskId: string): Promise<WorkflowExecutionDescription> {
    return this.describe(taskWorkflowId(taskId));
  }

  /** The last heartbeats of a task's pending activities, as anybody without the keys reads them. */
  async heartbeatsOf(taskId: string): Promise<string[]> {
    const { raw } = await this.open.workflow.getHandle(taskWorkflowId(taskId)).describe();
    const payloads = (raw.pendingActivities ?? []).flatMap(
      ({ heartbeatDetails }) => heartbeatDetails?.payloads ?? [],
    );
    return payloads.map(({ data }) => Buffer.from(data ?? []).toString('latin1'));
  }

  /** Starts a workflow that no worker knows under a task's workflow id; answers with the task's id. */
  async startForeignTask(): Promise<string> {
    const taskId = `alien-${randomUUID()}`;
    await this.sealed.workflow.start('somethingElse', {
      workflowId: taskWorkflowId(taskId),
      taskQueue: 'nobody',
      workflowExecutionTimeout: '1m',
    });
    return taskId;
  }

  /** Ids of the workflows that a search finds now; the index is some moments behind. */
  async search(query: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { workflowId } of this.open.workflow.list({ query })) found.push(workflowId);
    return found;
  }

  /** Figures of a task as its search attributes have them. */
  async milestonesOf(taskId: string) {
    const { typedSearchAttributes: attributes } = await this.describeTask(taskId);
    return {
      tokens_out: attributes.get(TokensOut),
      first_token_at_ms: attributes.get(FirstTokenAt)?.getTime(),
      ended_at_ms: attributes.get(EndedAt)?.getTime(),
    };
  }

  /** Waits until the search attribute says this state. */
  async waitForRecordedState(taskId: string, state: string): Promise<void> {
    const told = async () => (await this.describeTask(taskId)).typedSearchAttributes.get(TaskState);
    await eventually(
      () => `Temporal to record ${taskId} as ${state}`,
      async () => ((await told()) === state ? true : undefined),
    );
  }

  /** The memo of a task, opened. */
  async memoOf(taskId: string): Promise<TaskMemo> {
    return taskMemo.parse((await this.describeTask(taskId)).memo);
  }

  /** How the memo of a task is encoded for those without the keys. */
  async memoEncodings(taskId: string): Promise<Set<string>> {
    // Not through the client: without the keys it refuses to read a memo at all.
    const { workflowExecutionInfo } = await this.connection.workflowService.describeWorkflowExecution({
      namespace: this.namespace,
      execution: { workflowId: taskWorkflowId(taskId) },
    });
    const fields = Object.values(workflowExecutionInfo?.memo?.fields ?? {});
    return new Set(fields.map(({ metadata }) => Buffer.from(metadata?.['encoding'] ?? []).toString('utf8')));
  }

  /** Waits until the supervisor of a pool stands as wanted, and has told so itself. */
  async waitForSupervision(
    poolId: string,
    wanted: (view: SupervisionView) => boolean,
  ): Promise<SupervisionView> {
    const supervisor = this.open.workflow.getHandle(poolWorkflowId(poolId, 'supervise'));
    let last: SupervisionView | undefined;
    return eventually(
      () => `the supervisor of ${poolId}: ${JSON.stringify(last)}`,
      async () => {
        last = await supervisor.query(supervisionQuery);
        return wanted(last) ? last : undefined;
      },
    );
  }

  /** Waits for the end of a task's workflow. */
  async endOfTask(taskId: string): Promise<WorkflowEnd> {
    const handle = this.open.workflow.getHandle(taskWorkflowId(taskId));
    const failure = await handle.result().then(
      () => undefined,
      (err: unknown) => err,
    );
    const { status } = await handle.describe();
    if (!(failure instanceof WorkflowFailedError)) return { status: status.name };
    const { cause } = failure;
    return cause instanceof ApplicationFailure
      ? { status: status.name, type: cause.type }
      : { status: status.name };
  }

  /** Events of a task's history as the server keeps them: payloads sealed. */
  historyOfTask(taskId: string): Promise<HistoryEvent[]> {
    return this.history(taskWorkflowId(taskId));
  }

  /** Events of any workflow's history. */
  async history(workflowId: string): Promise<HistoryEvent[]> {
    const history = await this.sealed.workflow.getHandle(workflowId).fetchHistory();
    const { events } = JSON.parse(historyToJSON(history)) as { events: HistoryEvent[] };
    return events;
  }

  /** The payload that a task's workflow was started with, as the server keeps it. */
  async inputOfTask(taskId: string): Promise<JsonPayload> {
    const [started] = await this.historyOfTask(taskId);
    const { input } = started?.['workflowExecutionStartedEventAttributes'] as { input?: unknown };
    const [payload] = payloadsIn(input);
    if (payload === undefined) throw new Error(`the history of ${taskId} has no input`);
    return payload;
  }

  /** All that somebody without the keys can read in a task's history, payloads' bytes included. */
  async legibleTextOfTask(taskId: string): Promise<string> {
    const events = await this.historyOfTask(taskId);
    return [JSON.stringify(events), ...payloadsIn(events).map(textOf)].join('\n');
  }

  /** All that stands in a task's history for those with the keys. */
  async openedTextOfTask(taskId: string): Promise<string> {
    const payloads = payloadsIn(await this.historyOfTask(taskId));
    return (await opened(payloads, this.dataConverter.payloadCodecs ?? [])).join('\n');
  }

  /** How the input of a task is encoded. */
  async inputEncoding(taskId: string): Promise<string> {
    return encodingOf(await this.inputOfTask(taskId));
  }

  /** Message and type of the failure that ended a workflow, as the server keeps them. */
  async failureOf(workflowId: string): Promise<{ message: string | undefined; type: string | undefined }> {
    const last = (await this.history(workflowId)).at(-1);
    const attributes = last?.['workflowExecutionFailedEventAttributes'] as
      { failure?: { message?: string; applicationFailureInfo?: { type?: string } } } | undefined;
    const { message, applicationFailureInfo } = attributes?.failure ?? {};
    return { message, type: applicationFailureInfo?.type };
  }

  /** Names of the activities that a workflow has scheduled, in their order. */
  async activitiesOf(workflowId: string): Promise<string[]> {
    const scheduled = (await this.history(workflowId)).flatMap((event) => scheduledIn(event) ?? []);
    return scheduled.map(({ activityType }) => activityType.name);
  }

  /** On which try the last activity of this name came to its end. */
  async lastAttemptOf(workflowId: string, name: string): Promise<number | undefined> {
    const events = await this.history(workflowId);
    const scheduled = events.findLast((event) => scheduledIn(event)?.activityType.name === name);
    const started = events
      .map((event) => event['activityTaskStartedEventAttributes'] as StartedActivity | undefined)
      .find((activity) => activity?.scheduledEventId === scheduled?.['eventId']);
    return started?.attempt;
  }

  /** Waits until a workflow has scheduled an activity of this name. */
  async waitForActivity(workflowId: string, name: string): Promise<void> {
    await eventually(
      () => `the activity ${name} of ${workflowId}`,
      async () => (await this.activitiesOf(workflowId)).includes(name) || undefined,
    );
  }

  /** Waits until a task's workflow has scheduled an activity of a worker, and says which and where. */
  scheduledActivityOfTask(taskId: string): Promise<{ activity: unknown; queue: unknown }> {
    return eventually(
      () => `an activity of ${taskId}`,
      async () => {
        const [scheduled] = (await this.historyOfTask(taskId)).flatMap((event) => scheduledIn(event) ?? []);
        return scheduled && { activity: scheduled.activityType.name, queue: scheduled.taskQueue.name };
      },
    );
  }
}

interface ScheduledActivity {
  activityType: { name: string };
  taskQueue: { name: string };
}

interface StartedActivity {
  scheduledEventId: string;
  attempt: number;
}

function scheduledIn(event: HistoryEvent): ScheduledActivity | undefined {
  return event['activityTaskScheduledEventAttributes'] as ScheduledActivity | undefined;
}
