/**
 * What Temporal must know before our processes start: the search attributes, and on a server of our own how long it
 * keeps what has ended. The stack's only module that speaks to Temporal itself.
 */
import { Connection } from '@temporalio/client';
import { msToTs, optionalTsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import {
  missingSearchAttributes,
  registerCommand,
  SEARCH_ATTRIBUTES,
  type SearchAttributeKind,
} from '../domain/search-attributes.js';
import { StackError } from './stack-error.js';

/** One try to connect; a server that listens answers at once. */
const TRY_MS = 2_000;
/** A task id is new again after this long (design §7). */
const RETENTION = '7 days';
/** gRPC: the server keeps its operator service to itself, as Temporal Cloud does. */
const REFUSED = new Set([7, 12, 16]);
/** gRPC: there is no such namespace. */
const NOT_FOUND = 5;
/** gRPC: it is there already, because another start was faster. */
const ALREADY_EXISTS = 6;

// A CommonJS module whose names Node cannot see.
const { IndexedValueType, TaskQueueType } = proto.temporal.api.enums.v1;
const INDEXED_TYPES = {
  Keyword: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  Int: IndexedValueType.INDEXED_VALUE_TYPE_INT,
  Datetime: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
} as const satisfies Record<SearchAttributeKind, number>;

/** Which Temporal, and whether it is ours to set up. */
export interface TemporalTarget {
  address: string;
  namespace: string;
}

/** Why the namespace cannot be used now, in one line that says what to do; undefined when it can. */
export async function temporalTrouble({ address, namespace }: TemporalTarget): Promise<string | undefined> {
  try {
    await withConnection(address, (connection) =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return undefined;
  } catch (err) {
    if (grpcCode(err) === NOT_FOUND) {
      return `Temporal at ${address} has no namespace "${namespace}"; create it or set TEMPORAL_NAMESPACE`;
    }
    return `Temporal does not answer at ${address}; start it, or set TEMPORAL_ADDRESS to the host:port of its frontend`;
  }
}

/**
 * Registers our search attributes, as often as one likes.
 * @throws StackError with the command to run where the server does not let us
 */
export async function registerSearchAttributes({ address, namespace }: TemporalTarget): Promise<void> {
  await withConnection(address, async ({ operatorService }) => {
    const listed = await operatorService.listSearchAttributes({ namespace }).catch(undefinedIfRefused);
    if (listed === undefined) return; // Not ours to see.
    const missing = missingSearchAttributes(Object.keys(listed.customAttributes));
    if (missing.length === 0) return;
    const searchAttributes = Object.fromEntries(
      missing.map((name) => [name, INDEXED_TYPES[SEARCH_ATTRIBUTES[name]]]),
    );
    try {
      await operatorService.addSearchAttributes({ namespace, searchAttributes });
    } catch (err) {
      if (grpcCode(err) === ALREADY_EXISTS) return;
      throw new StackError(
        `Temporal at ${address} lacks search attributes of ours and does not let us register them; run: ${registerCommand(namespace, missing)}`,
        { cause: err },
      );
    }
  });
}

/** Sets how long the namespace keeps what has ended; for a server of our own, whose default is one day. */
export async function keepHistoriesForAWeek({ address, namespace }: TemporalTarget): Promise<void> {
  await withConnection(address, (connection) =>
    connection.workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: msToTs(RETENTION) },
    }),
  );
}

/** A worker that Temporal has seen on a queue. */
export interface Poller {
  identity: string;
  lastAccessMs: number;
}

/** Who polls a queue for workflow tasks. */
export async function pollersOf({ address, namespace }: TemporalTarget, queue: string): Promise<Poller[]> {
  const { pollers } = await withConnection(address, (connection) =>
    connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: queue },
      taskQueueType: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    }),
  );
  return pollers.map(({ identity, lastAccessTime }) => ({
    identity: identity ?? '',
    lastAccessMs: optionalTsToMs(lastAccessTime) ?? 0,
  }));
}

async function withConnection<T>(address: string, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address, connectTimeout: TRY_MS });
  try {
    return await connection.withDeadline(Date.now() + 5 * TRY_MS, () => work(connection));
  } finally {
    await connection.close();
  }
}

function undefinedIfRefused(err: unknown): undefined {
  if (!REFUSED.has(grpcCode(err))) throw err;
}

function grpcCode(err: unknown): number {
  return err instanceof Error && 'code' in err && typeof err.code === 'number' ? err.code : -1;
}
