/** Installations of nodes as durable workflows: started here, carried out by control workers, read by whoever follows them. */
import { Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  installFailure,
  nodeInstalled,
  type InstallNodeInput,
  type NodeOperation,
} from '../../contracts/node-install.js';
import { isErrorCode } from '../../contracts/errors.js';
import { CONTROL_QUEUE, nodeWorkflowId } from '../../domain/identity.js';
import type { installNode } from '../../workflows/install-node.js';
import { operationStepsQuery } from '../../workflows/messages.js';
import * as attribute from '../../workflows/search-attributes.js';
import type { NodeVisitsOptions } from './node-visits.js';
import { pendingOf, STATUS } from './read-operation.js';
import { temporalAway } from './workflow-forms.js';

/** Installations. Where Temporal is away they fail as `TEMPORAL_UNAVAILABLE`. */
export interface NodeInstalls {
  /** Starts one, or joins the one that runs. @returns its id */
  start: (input: InstallNodeInput) => Promise<string>;
  /** How the last one of a node stands; undefined where there was none. */
  read: (nodeName: string) => Promise<NodeOperation | undefined>;
}

/** A server that is up takes milliseconds. */
const ANSWER_LIMIT_MS = 3_000;
/** A control worker answers a query; while none is there, the rest is told. */
const STEPS_LIMIT_MS = 1_000;
/** All steps at their longest, tried again each. */
const RUN_LIMIT = '3h';

/** Installations over a connection that the caller opened and closes. */
export function createNodeInstalls({
  connection,
  namespace,
  dataConverter,
}: NodeVisitsOptions): NodeInstalls {
  const { workflow } = new Client({ connection, namespace, dataConverter });
  const within = <T>(ms: number, call: () => Promise<T>) => connection.withDeadline(Date.now() + ms, call);

  return {
    async start(input) {
      const { node_name } = input.node;
      const options = {
        workflowId: nodeWorkflowId(node_name, 'install'),
        taskQueue: CONTROL_QUEUE,
        workflowIdConflictPolicy: 'USE_EXISTING' as const,
        workflowExecutionTimeout: RUN_LIMIT,
        args: [input] as [InstallNodeInput],
        typedSearchAttributes: [
          { key: attribute.NodeId, value: node_name },
          { key: attribute.CorrelationId, value: input.correlation_id },
        ],
        staticSummary: `install node ${node_name}`,
      };
      const started = within(ANSWER_LIMIT_MS, () =>
        workflow.start<typeof installNode>('installNode', options),
      );
      const { workflowId } = await started.catch((err: unknown) => {
        throw temporalAway(err);
      });
      return workflowId;
    },

    async read(nodeName) {
      const id = nodeWorkflowId(nodeName, 'install');
      try {
        const described = await within(ANSWER_LIMIT_MS, () => workflow.getHandle(id).describe());
        const run = workflow.getHandle<typeof installNode>(id, described.runId);
        const steps = await within(STEPS_LIMIT_MS, () => run.query(operationStepsQuery)).catch(() => []);
        const runs = described.status.name === 'RUNNING';
        const ended = runs
          ? NOTHING
          : await endOf(
              nodeName,
              within(ANSWER_LIMIT_MS, () => run.result()),
            );
        return {
          operation_id: id,
          run_id: described.runId,
          kind: 'install',
          node_name: nodeName,
          status: STATUS[described.status.name] ?? 'failed',
          started_at_ms: described.startTime.getTime(),
          ended_at_ms: described.closeTime?.getTime() ?? null,
          step: steps.at(-1)?.step ?? null,
          steps,
          waiting_for: pendingOf(described),
          ...ended,
        };
      } catch (err) {
        if (err instanceof WorkflowNotFoundError) return undefined;
        throw temporalAway(err);
      }
    },
  };
}

type End = Pick<NodeOperation, 'outcome' | 'error'>;
const NOTHING: End = { outcome: null, error: null };

/** @throws what Temporal's own absence throws */
async function endOf(node_name: string, result: Promise<unknown>): Promise<End> {
  try {
    return { outcome: nodeInstalled.parse(await result), error: null };
  } catch (err) {
    if (!(err instanceof WorkflowFailedError)) throw err;
    return { outcome: null, error: errorIn(err, node_name) };
  }
}

/** How an installation failed, as the API may tell it: without the host. */
function errorIn({ cause }: WorkflowFailedError, node_name: string): NodeOperation['error'] {
  if (!(cause instanceof ApplicationFailure)) return null;
  const { type, message, details } = cause;
  const facts = installFailure.safeParse(details?.[0]);
  return {
    code: isErrorCode(type ?? '') ? (type ?? '') : 'NODE_INSTALL_FAILED',
    message,
    details: facts.success ? facts.data : { node_name },
  };
}
