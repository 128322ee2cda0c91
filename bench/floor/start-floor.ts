/** The floor process, from the bench's side: a namespace of its own on Drover's Temporal, and one order at a time. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { registerSearchAttributes } from '../../stack/temporal-admin.js';
import { eventually } from '../../testing/changes.js';
import type { Drover } from '../stack/start-drover.js';
import type { FloorAnswer, FloorOrder } from './messages.js';

/** A running floor. */
export interface Floor {
  pid: number;
  namespace: string;
  /** @throws Error with what went wrong there */
  order(order: FloorOrder): Promise<FloorAnswer>;
  stop(): Promise<void>;
}

/** Drover's worker polls the queue `tasks` in its own namespace, so the floor has another. */
const NAMESPACE = 'floor';
const RETENTION = '1 day';

/** Starts the floor; resolves when its worker polls. */
export async function startFloor({ temporalAddress, payloadKeys }: Drover): Promise<Floor> {
  await makeNamespace(temporalAddress);
  const child = fork(fileURLToPath(new URL('./main.js', import.meta.url)), {
    env: {
      PATH: process.env['PATH'] ?? '',
      TEMPORAL_ADDRESS: temporalAddress,
      TEMPORAL_NAMESPACE: NAMESPACE,
      DROVER_PAYLOAD_KEYS: payloadKeys,
    },
  });
  const answer = () =>
    new Promise<FloorAnswer>((resolve, reject) => {
      const ended = (code: number | null) =>
        reject(new Error(`the floor process ended with ${String(code)}`));
      child.once('exit', ended);
      child.once('message', (message: FloorAnswer) => {
        child.off('exit', ended);
        if (message.kind === 'failed') reject(new Error(message.why));
        else resolve(message);
      });
    });
  await answer();
  return {
    pid: child.pid ?? 0,
    namespace: NAMESPACE,
    order: (order) => {
      const answered = answer();
      child.send(order);
      return answered;
    },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.disconnect();
      }),
  };
}

async function makeNamespace(address: string): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    await connection.workflowService.registerNamespace({
      namespace: NAMESPACE,
      workflowExecutionRetentionPeriod: msToTs(RETENTION),
    });
    // Temporal takes up to some seconds until all its parts know a new namespace.
    await eventually(
      () => `the namespace ${NAMESPACE}`,
      () =>
        registerSearchAttributes({ address, namespace: NAMESPACE }).then(
          () => true,
          () => undefined,
        ),
    );
  } finally {
    await connection.close();
  }
}
