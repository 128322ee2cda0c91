/** Asks a node whether its service is there, as patiently as a node is to be asked (B-NODE-031, B-HTTP-008). */
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { DroverError } from '../../contracts/errors.js';
import { nodeAlive, type NodeAlive } from '../../contracts/health.js';
import { jsonErrorPosition, parseJson } from '../../domain/json.js';
import { RETRY_PROFILES, spanAfter } from '../../domain/retry-profiles.js';
import type { CallContext } from './node-link.js';

/** Asks a node. @throws DroverError NODE_NOT_REGISTERED, CONNECTION_TIMEOUT, JSON_PARSE_ERROR */
export type AskNodeHealth = (nodeId: string, call: CallContext) => Promise<NodeAlive>;

/** What it works with. */
export interface NodeHealthDeps {
  addressOf: (nodeId: string) => string | undefined;
  /** Of one attempt; default: what a machine under load takes to answer something cheap. */
  attemptMs?: number;
  /** Waits; tests need not. */
  pause?: (ms: number) => Promise<unknown>;
}

/** Each attempt has as long (B-HTTP-008). */
export const NODE_ATTEMPT_MS = 10_000;
/** Beside "node not reached": what to do. */
const ADVICE = 'see that the node worker runs there, and that its gateway is reachable from the API';

/** Builds the question. */
export function createAskNodeHealth(deps: NodeHealthDeps): AskNodeHealth {
  const { addressOf, attemptMs = NODE_ATTEMPT_MS, pause = delay } = deps;
  return async (nodeId, { correlationId }) => {
    const address = addressOf(nodeId);
    if (address === undefined)
      throw new DroverError('NODE_NOT_REGISTERED', 'no such node reports, or is configured');
    const headers = { 'x-correlation-id': correlationId };
    for (let attempt = 1; ; attempt += 1) {
      const text = await answerOf(`${address}/v1/health`, headers, attemptMs);
      if (text !== undefined) return aliveIn(nodeId, text);
      const span = spanAfter(RETRY_PROFILES['node-connect'], attempt);
      if (span === undefined) throw unreached(nodeId, attempt);
      await pause(span);
    }
  };
}

/** Undefined where no answer came. */
async function answerOf(url: string, headers: object, limitMs: number): Promise<string | undefined> {
  const signal = AbortSignal.timeout(limitMs);
  return request(url, { headers: { ...headers }, signal })
    .then(({ body }) => body.text())
    .catch(() => undefined);
}

/** What is no JSON will be none the next time: it is asked once. */
function aliveIn(node_id: string, text: string): NodeAlive {
  const alive = nodeAlive.safeParse(parseJson(text));
  if (alive.success) return alive.data;
  const position = jsonErrorPosition(text);
  const message = 'the node answers its health with something else';
  throw new DroverError('JSON_PARSE_ERROR', message, {
    hint: ADVICE,
    details: { node_id, ...(position === undefined ? {} : { position }) },
  });
}

function unreached(node_id: string, attempts: number): DroverError {
  const message = `the node has not answered in ${attempts} attempts`;
  return new DroverError('CONNECTION_TIMEOUT', message, { hint: ADVICE, details: { node_id, attempts } });
}
