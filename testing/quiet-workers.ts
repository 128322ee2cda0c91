/** A roll of workers that nobody is on, unless a test says otherwise: for `*.test.ts` only. */
import { pino } from 'pino';
import { WorkerRoll, type WorkerRollDeps } from '../workers/node/worker-roll.js';

/** Builds it. */
export function workerRoll(changes: Partial<WorkerRollDeps> = {}): WorkerRoll {
  return new WorkerRoll({
    nodeId: 'node-1',
    token: () => 'the-token-of-this-node',
    callbackUrl: () => null,
    follow: () => Promise.reject(new Error('no worker was expected')),
    log: pino({ level: 'silent' }),
    now: Date.now,
    ...changes,
  });
}
