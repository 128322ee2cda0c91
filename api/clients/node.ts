/** Node gateways over HTTP/1.1: kept-alive connections, bounded waits, the node's own refusals passed on. */
import { budgets, type Budgets } from '../../contracts/session.js';
import { Agent, type Dispatcher } from 'undici';
import type { ZodType } from 'zod';
import { DroverError, errorEnvelope, type ErrorCode } from '../../contracts/errors.js';
import { closesStream, frame, prepLine, type Frame, type MetricsData } from '../../contracts/events.js';
import {
  BUDGETS_HEADER,
  NEXT_OFFSET_HEADER,
  fencedRun,
  nodePools,
  runView,
  tokenCount,
  type FencedRun,
  type InferTaskInput,
  type NodePools,
  type PlacedRun,
  type RunInput,
  type RunOffer,
  type RunView,
} from '../../contracts/node.js';
import { engineAnnounced, type EngineAnnouncement } from '../../contracts/worker.js';
import { traceHeaders } from '../../contracts/trace.js';
import {
  nodeWorkers,
  workerHealth,
  type WorkerHealth,
  type WorkerReport,
} from '../../contracts/worker-report.js';
import { deadlineHeaders } from '../../domain/deadline.js';
import { parseJson } from '../../domain/json.js';
import { isHeard, NETWORK_PARTITION } from '../../domain/node-service.js';
import type { CancelReason } from '../../domain/task.js';
import type { NodeDirectory } from '../nodes/node-directory.js';
import type { CallContext, NodeLink, TailContext } from './node-link.js';

/** Where the nodes are, and the token that they know us by. */
export interface NodeLinkOptions {
  nodes: readonly { id: string; url: string }[];
  /** Those that have registered beside them. */
  registered?: Pick<NodeDirectory, 'ids' | 'urlOf' | 'stateOf'>;
  /** The token as it is now. */
  token: () => string;
}

/** A node link that holds connections, and serves the local activities of the queue `tasks` too. */
export interface OpenNodeLink extends NodeLink {
  readonly runs: {
    attach(nodeId: string, offer: InferTaskInput, waitMs: number): Promise<RunView>;
    cancel(nodeId: string, taskId: string, reason: CancelReason): Promise<RunView>;
    transcript(nodeId: string, taskId: string): Promise<Frame[] | undefined>;
  };
  /** Ends all connections, streams included. */
  close(): Promise<void>;
}

/** A node answers in its own data centre or not at all. */
const CONNECT_TIMEOUT_MS = 1_000;
/** Most a gateway takes for an answer: an offer asks the engine to tokenize the prompt first. */
const ANSWER_TIMEOUT_MS = 10_000;
/** A cancel answers when the slot is free; the node gives its engine 5 s (B-DP-210). */
const CANCEL_TIMEOUT_MS = 15_000;
/** The node asks the engine for its health and a token first. */
const ANNOUNCE_TIMEOUT_MS = 60_000;
/** Reading what a node reports is cheap: a node that takes longer is treated as away. */
const REPORT_TIMEOUT_MS = 2_000;
/** The node asks the engine first, for two seconds at most. */
const HEALTH_TIMEOUT_MS = 4_000;
/** A log of 50,000 tokens has some megabytes. */
const WHOLE_LOG_TIMEOUT_MS = 10_000;
/** Three keep-alive lines of 5 s missed: the connection is dead. */
const TAIL_SILENCE_MS = 15_000;
/** Unused connections are closed before the gateway does it (Node's servers: after 5 s, announced by header). */
const KEEP_ALIVE_MS = 60_000;

/** How long a client waits before it asks again for a node that is away. */
const RETRY_AFTER_MS = 1_000;

/** Answers that speak of our own standing with the node, not of the client's request. */
const OURS_TO_MEND: readonly ErrorCode[] = ['MISSING_TOKEN', 'BAD_TOKEN', 'BAD_API_KEY', 'ROUTE_NOT_FOUND'];

/** Errors of a connection that the other side had closed; seen before the first byte, the call was not answered. */
const RESET_CODES = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'];

interface Ask {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  body?: unknown;
  timeoutMs?: number;
  silenceMs?: number;
  /** Of the task that it is about. */
  deadlineAtMs?: number | undefined;
}

/** Links to the nodes; connections are made when they are needed. */
export function createNodeLink(options: NodeLinkOptions): OpenNodeLink {
  return new HttpNodeLink(options);
}

class HttpNodeLink implements OpenNodeLink {
  readonly runs: OpenNodeLink['runs'] = {
    attach: (nodeId, offer, waitMs) => {
      const path = `${runPath(offer.task_id)}?wait_ms=${waitMs}`;
      const request: Ask = {
        ...{ method: 'PUT', path, body: offer, timeoutMs: waitMs + ANSWER_TIMEOUT_MS },
        deadlineAtMs: offer.deadline_at_ms,
      };
      const call = { correlationId: offer.correlation_id, trace: offer.trace ?? {} };
      return this.ask(nodeId, request, call, runView);
    },
    cancel: (nodeId, taskId, reason) => this.askCancel(nodeId, taskId, reason, { correlationId: taskId }),
    transcript: (nodeId, taskId) => this.wholeLog(nodeId, taskId),
  };
  private readonly urls: ReadonlyMap<string, string>;
  private readonly registered: NodeLinkOptions['registered'];
  private readonly token: () => string;
  private readonly agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    pipelining: 1,
  });

  constructor({ nodes, registered, token }: NodeLinkOptions) {
    this.urls = new Map(nodes.map(({ id, url }) => [id, url]));
    this.registered = registered;
    this.token = token;
  }

  get nodeIds(): readonly string[] {
    return [...new Set([...this.urls.keys(), ...(this.registered?.ids() ?? [])])];
  }

  drains(nodeId: string): boolean {
    return this.registered?.stateOf(nodeId) === 'draining';
  }

  async pools(nodeId: string, call: CallContext): Promise<NodePools> {
    this.mustReport(nodeId);
    const request: Ask = { method: 'GET', path: '/pools', timeoutMs: REPORT_TIMEOUT_MS };
    return this.ask(nodeId, request, call, nodePools);
  }

  async workers(nodeId: string, call: CallContext): Promise<readonly WorkerReport[]> {
    const request: Ask = { method: 'GET', path: '/workers', timeoutMs: REPORT_TIMEOUT_MS };
    return (await this.ask(nodeId, request, call, nodeWorkers)).workers;
  }

  async workerHealth(
    nodeId: string,
    { pool_id, replica_id }: { pool_id: string; replica_id: string },
    call: CallContext,
  ): Promise<WorkerHealth | undefined> {
    const path = `/workers/${encodeURIComponent(pool_id)}/${encodeURIComponent(replica_id)}/health`;
    const request: Ask = { method: 'GET', path, timeoutMs: HEALTH_TIMEOUT_MS };
    return orUnknown(this.ask(nodeId, request, call, workerHealth), 'WORKER_NOT_FOUND');
  }

  offer(nodeId: string, offer: RunOffer, call: CallContext): Promise<RunView> {
    const request: Ask = { method: 'POST', path: '/runs', body: offer, deadlineAtMs: offer.deadline_at_ms };
    return this.ask(nodeId, request, call, runView);
  }

  announce(
    nodeId: string,
    { pool_id, replica_id }: { pool_id: string; replica_id: string },
    told: EngineAnnouncement,
    call: CallContext,
  ): Promise<{ bound: boolean }> {
    const path = `/pools/${encodeURIComponent(pool_id)}/replicas/${encodeURIComponent(replica_id)}`;
    const request: Ask = { method: 'PUT', path, body: told, timeoutMs: ANNOUNCE_TIMEOUT_MS };
    return this.ask(nodeId, request, call, engineAnnounced);
  }

  async countTokens(nodeId: string, poolId: string, input: RunInput, call: CallContext): Promise<number> {
    const path = `/pools/${encodeURIComponent(poolId)}/tokens`;
    return (await this.ask(nodeId, { method: 'POST', path, body: { input } }, call, tokenCount)).tokens;
  }

  confirm(nodeId: string, taskId: string, call: CallContext): Promise<RunView> {
    return this.ask(nodeId, { method: 'POST', path: `${runPath(taskId)}/confirm`, body: {} }, call, runView);
  }

  withdraw(nodeId: string, taskId: string, call: CallContext): Promise<void> {
    return this.tell(nodeId, `${runPath(taskId)}/withdraw`, call);
  }

  abandon(nodeId: string, taskId: string, call: CallContext): Promise<void> {
    return this.tell(nodeId, `${runPath(taskId)}/abandon`, call);
  }

  view(nodeId: string, taskId: string, call: CallContext): Promise<RunView | undefined> {
    const request: Ask = { method: 'GET', path: runPath(taskId), timeoutMs: REPORT_TIMEOUT_MS };
    return orUnknown(this.ask(nodeId, request, call, runView));
  }

  cancel(
    nodeId: string,
    taskId: string,
    reason: CancelReason,
    call: CallContext,
  ): Promise<RunView | undefined> {
    return orUnknown(this.askCancel(nodeId, taskId, reason, call));
  }

  fence(nodeId: string, taskId: string, epoch: number, call: CallContext): Promise<FencedRun | undefined> {
    const request: Ask = { method: 'POST', path: `${runPath(taskId)}/fence`, body: { epoch } };
    return orUnknown(this.ask(nodeId, request, call, fencedRun));
  }

  takeOver(nodeId: string, placed: PlacedRun, call: CallContext): Promise<RunView> {
    const path = runPath(placed.task_id);
    const request: Ask = { method: 'PUT', path, body: placed, deadlineAtMs: placed.deadline_at_ms };
    return this.ask(nodeId, request, call, runView);
  }

  async frames(nodeId: string, taskId: string, from: number, call: TailContext) {
    const path = `${runPath(taskId)}/frames?from=${from}`;
    const request: Ask = { method: 'GET', path, timeoutMs: REPORT_TIMEOUT_MS, silenceMs: TAIL_SILENCE_MS };
    const response = await this.send(nodeId, request, call);
    if (response.statusCode < 400) {
      const liveFrom = Number(response.headers[NEXT_OFFSET_HEADER]);
      if (!Number.isSafeInteger(liveFrom)) throw notUnderstood(new Error(`no ${NEXT_OFFSET_HEADER}`));
      return {
        liveFrom,
        budgets: budgetsIn(response.headers[BUDGETS_HEADER]),
        batches: frameBatches(response.body, call.onPreparation),
      };
    }
    const refusal = await refusalOf(response);
    if (refusal.code === 'TASK_NOT_FOUND') return undefined;
    throw refusal;
  }

  close(): Promise<void> {
    return this.agent.destroy();
  }

  /** @throws DroverError POOL_UNAVAILABLE when the log does not come to its end in time */
  private async wholeLog(nodeId: string, taskId: string): Promise<Frame[] | undefined> {
    const signal = AbortSignal.timeout(WHOLE_LOG_TIMEOUT_MS);
    const tail = await this.frames(nodeId, taskId, 0, { correlationId: taskId, signal });
    if (tail === undefined) return undefined;
    const frames: Frame[] = [];
    try {
      for await (const batch of tail.batches) frames.push(...batch);
    } catch (err) {
      throw nodeAway(err);
    }
    if (!frames.some(closesStream)) throw nodeAway();
    return frames;
  }

  /** A node that is known by its reports alone is asked for work while it reports (B-NAPI-004, B-NODE-036). */
  private mustReport(nodeId: string): void {
    if (this.urls.has(nodeId)) return;
    const state = this.registered?.stateOf(nodeId);
    if (state === 'offline') throw nodeSilent();
    if (state === undefined || !isHeard(state)) throw nodeAway();
  }

  private askCancel(nodeId: string, taskId: string, reason: CancelReason, call: CallContext) {
    const path = `${runPath(taskId)}/cancel`;
    const request: Ask = { method: 'POST', path, body: { reason }, timeoutMs: CANCEL_TIMEOUT_MS };
    return this.ask(nodeId, request, call, runView);
  }

  private async ask<T>(nodeId: string, request: Ask, call: CallContext, schema: ZodType<T>): Promise<T> {
    const response = await this.send(nodeId, request, call);
    if (response.statusCode >= 400) throw await refusalOf(response);
    const parsed = schema.safeParse(parseJson(await textOf(response)));
    if (!parsed.success) throw notUnderstood(parsed.error);
    return parsed.data;
  }

  /** Says something that has no answer but "heard". */
  private async tell(nodeId: string, path: string, call: CallContext): Promise<void> {
    const response = await this.send(nodeId, { method: 'POST', path, body: {} }, call);
    if (response.statusCode >= 400) throw await refusalOf(response);
    await response.body.dump();
  }

  private async send(nodeId: string, ask: Ask, call: CallContext): Promise<Dispatcher.ResponseData> {
    const origin = this.urls.get(nodeId) ?? this.registered?.urlOf(nodeId);
    if (origin === undefined) throw nodeAway();
    const options: Dispatcher.RequestOptions & { origin: string } = {
      origin,
      method: ask.method,
      path: ask.path,
      headers: headersOf(ask, call, this.token()),
      headersTimeout: ask.timeoutMs ?? ANSWER_TIMEOUT_MS,
      bodyTimeout: ask.silenceMs ?? ANSWER_TIMEOUT_MS,
      ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    };
    try {
      return await this.agent.request(options);
    } catch (err) {
      if (!isReset(err)) throw nodeAway(err);
    }
    // No byte came: a kept connection that the node had closed. All gateway calls may be repeated (`NodeLink`).
    return this.agent.request(options).catch((err: unknown) => {
      throw nodeAway(err);
    });
  }
}

function runPath(taskId: string): string {
  return `/runs/${encodeURIComponent(taskId)}`;
}

function headersOf(ask: Ask, call: CallContext, token: string): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    'x-correlation-id': call.correlationId,
    ...traceHeaders(call.trace ?? {}),
    ...deadlineHeaders(ask.deadlineAtMs),
    ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
  };
}

/** Splits the answer into lines and gives the frames of each chunk together; a line that was cut off is dropped. */
async function* frameBatches(
  body: Dispatcher.ResponseData['body'],
  onPreparation: (figures: MetricsData) => void = () => undefined,
): AsyncGenerator<Frame[]> {
  const decoder = new TextDecoder(); // The body's own decoding breaks characters that lie across two chunks.
  let rest = '';
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    const frames = lines.flatMap((line) => {
      if (line === '') return [];
      const said: unknown = JSON.parse(line);
      const preparation = prepLine.safeParse(said);
      if (!preparation.success) return [frame.parse(said)];
      onPreparation(preparation.data.data);
      return [];
    });
    if (frames.length > 0) yield frames;
  }
}

async function orUnknown<T>(answer: Promise<T>, code: ErrorCode = 'TASK_NOT_FOUND'): Promise<T | undefined> {
  try {
    return await answer;
  } catch (err) {
    if (err instanceof DroverError && err.code === code) return undefined;
    throw err;
  }
}

/** The node's refusal in its own words, unless it speaks of our credentials or is none of ours. */
async function refusalOf(response: Dispatcher.ResponseData): Promise<DroverError> {
  const text = await textOf(response);
  const parsed = errorEnvelope.safeParse(parseJson(text));
  if (!parsed.success || OURS_TO_MEND.includes(parsed.data.code)) {
    return notUnderstood(new Error(`the node answered ${response.statusCode}: ${text.slice(0, 200)}`));
  }
  const { code, message, correlation_id: _, ...extras } = parsed.data;
  return new DroverError(code, message, extras);
}

async function textOf(response: Dispatcher.ResponseData): Promise<string> {
  return response.body.text().catch((err: unknown) => {
    throw nodeAway(err);
  });
}

function notUnderstood(cause: Error): DroverError {
  return new DroverError('INTERNAL', 'a node answered in a way that is not understood', {}, { cause });
}

function nodeAway(cause?: unknown): DroverError {
  return new DroverError(
    'POOL_UNAVAILABLE',
    'the node of the pool cannot be reached',
    { retry_after_ms: RETRY_AFTER_MS, policy_label: 'retry' },
    { cause },
  );
}

function nodeSilent(): DroverError {
  return new DroverError('POOL_UNAVAILABLE', 'the node of the pool reports no more', {
    ...{ retry_after_ms: RETRY_AFTER_MS, policy_label: 'retry' },
    details: { cause_code: NETWORK_PARTITION },
  });
}

function isReset(err: unknown): boolean {
  return err instanceof Error && 'code' in err && RESET_CODES.includes(String(err.code));
}

function budgetsIn(header: string | string[] | undefined): Budgets | undefined {
  return typeof header === 'string' ? budgets.parse(JSON.parse(header)) : undefined;
}
