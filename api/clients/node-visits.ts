/** Visits of registered nodes as durable workflows: control workers make them, and operators read them in the history. */
import { Client, WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, type DataConverter } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import { DroverError, isErrorCode, type ErrorCode } from '../../contracts/errors.js';
import {
  nodeFailure,
  nodeVisited,
  type NodeVisited,
  type NodeVisitInput,
} from '../../contracts/registered-node.js';
import { CONTROL_QUEUE, nodeWorkflowId, type NodeVerb } from '../../domain/identity.js';
import type { addNode } from '../../workflows/add-node.js';
import type { checkNode } from '../../workflows/check-node.js';
import * as attribute from '../../workflows/search-attributes.js';
import { temporalAway } from './workflow-forms.js';

/** What came of a visit. */
export type VisitOutcome =
  | { kind: 'reached'; visited: NodeVisited }
  | { kind: 'failed'; code: ErrorCode; message: string; details: Record<string, unknown> };

/** Visits of nodes. Where Temporal is away, or no control worker takes them in time, they fail as `TEMPORAL_UNAVAILABLE`. */
export interface NodeVisits {
  /** Visits a node and enters it into the registry; undefined while an addition of this name runs. */
  add: (input: NodeVisitInput) => Promise<VisitOutcome | undefined>;
  /** Visits a node of the registry, or joins the visit that runs. */
  check: (input: NodeVisitInput) => Promise<VisitOutcome>;
}

/** How visits reach Temporal. */
export interface NodeVisitsOptions {
  connection: NativeConnection;
  namespace: string;
  dataConverter: DataConverter;
}

/** A server that is up takes milliseconds. */
const START_LIMIT_MS = 3_000;
/** 40 s for the visit and 10 for the registry, and a margin: what nobody has taken by then is not carried out later. */
const RUN_LIMIT_MS = 52_000;
/** How long a caller waits before it asks again. */
const RETRY_AFTER_MS = 1_000;
/** Temporal tells of the end of a run some moments later. */
const ANSWER_LIMIT_MS = RUN_LIMIT_MS + 3_000;

/** Visits over a connection that the caller opened and closes. */
export function createNodeVisits({ connection, namespace, dataConverter }: NodeVisitsOptions): NodeVisits {
  const { workflow } = new Client({ connection, namespace, dataConverter });

  async function visit(verb: NodeVerb, input: NodeVisitInput): Promise<VisitOutcome | undefined> {
    try {
      const options = visitOptions(verb, input);
      const run = await connection.withDeadline(Date.now() + START_LIMIT_MS, () =>
        workflow.start<typeof addNode | typeof checkNode>(`${verb}Node`, options),
      );
      const visited = await connection.withDeadline(Date.now() + ANSWER_LIMIT_MS, () => run.result());
      return { kind: 'reached', visited: nodeVisited.parse(visited) };
    } catch (err) {
      if (err instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      const failed = failureIn(err, input.node.node_name);
      if (failed === undefined)
        throw err instanceof WorkflowFailedError ? notCarriedOut(err) : temporalAway(err);
      return failed;
    }
  }

  return {
    add: (input) => visit('add', input),
    async check(input) {
      const outcome = await visit('check', input);
      if (outcome === undefined) throw temporalAway(undefined);
      return outcome;
    },
  };
}

/** How a visit is started: one run a node and verb. Two additions may differ, so the second is refused. */
function visitOptions(verb: NodeVerb, input: NodeVisitInput) {
  const { node_name } = input.node;
  return {
    workflowId: nodeWorkflowId(node_name, verb),
    taskQueue: CONTROL_QUEUE,
    workflowIdConflictPolicy: verb === 'add' ? ('FAIL' as const) : ('USE_EXISTING' as const),
    workflowExecutionTimeout: RUN_LIMIT_MS,
    args: [input] as [NodeVisitInput],
    typedSearchAttributes: [
      { key: attribute.NodeId, value: node_name },
      { key: attribute.CorrelationId, value: input.correlation_id },
    ],
    staticSummary: `${verb} node ${node_name}`,
  };
}

/** It was ended from outside, or nobody took it. */
function notCarriedOut(cause: Error): DroverError {
  const message = 'the visit of the node was not carried out in time; does a control worker run?';
  return new DroverError('TEMPORAL_UNAVAILABLE', message, { retry_after_ms: RETRY_AFTER_MS }, { cause });
}

/** How a visit failed, as the API may tell it; undefined where its end is not known. */
export function failureIn(err: unknown, node_name: string): VisitOutcome | undefined {
  if (!(err instanceof WorkflowFailedError) || !(err.cause instanceof ApplicationFailure)) return undefined;
  const { type, message, details } = err.cause;
  const facts = nodeFailure.safeParse(details?.[0]);
  return {
    kind: 'failed',
    code: isErrorCode(type ?? '') ? (type as ErrorCode) : 'INTERNAL',
    message,
    details: facts.success ? facts.data : { node_name },
  };
}
