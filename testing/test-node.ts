/** A node's runs on a real folder with an engine that speaks when the test says so: for `*.test.ts` only. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import { pino, type Logger } from 'pino';
import type { ChatRequest } from '../activities/engine/adapters/chat-route.js';
import type {
  CompletionRequest,
  EngineAdapter,
  IdsAdapter,
  EngineEvent,
} from '../activities/engine/adapters/engine-adapter.js';
import { refusal } from '../activities/engine/adapters/engine-failure.js';
import { DroverError } from '../contracts/errors.js';
import type { RunOffer } from '../contracts/node.js';
import { preparedEngine } from '../contracts/pool.js';
import type { TaskRequest } from '../contracts/task.js';
import type { CircuitPolicy } from '../domain/circuit.js';
import type { StopReason } from '../domain/task.js';
import { newPayloadKey, parsePayloadKeys } from '../security/payload-keys.js';
import type { FullQueuePolicy } from '../workers/node/displacement.js';
import { PoolRegistry } from '../workers/node/pool-registry.js';
import type { openRunLog } from '../workers/node/run-log.js';
import { recoverRuns } from '../workers/node/recover-runs.js';
import type { RunMetrics } from '../workers/node/run-metrics.js';
import { RunRegister } from '../workers/node/runs.js';

const RING = parsePayloadKeys(newPayloadKey());
const FIRST_ID = 10;

/** An engine whose every event the test sends; the newest request hears it. */
export class ManualEngine implements IdsAdapter {
  readonly takes = 'ids';
  static readonly CONTEXT = 64;
  readonly requests: CompletionRequest[] = [];
  /** Requests for answers with tools. */
  readonly chats: ChatRequest[] = [];
  private inbox: (EngineEvent[] | Error)[] = [];
  private hear: (() => void) | undefined;
  private leftCount = 0;
  private nextId = FIRST_ID;
  private readonly changes = new Set<() => void>();

  health = () => Promise.resolve(200);
  props = () => Promise.resolve({ slots_total: null, slots_free: null, engine_version: null });
  probe = () => Promise.resolve();
  /** Ids of every prompt. */
  promptIds = [1, 2, 3];
  tokenize = () => Promise.resolve(this.promptIds);
  tokenizeRest = (text: string) => Promise.resolve(Array.from(text, (letter) => letter.codePointAt(0) ?? 0));
  /** What it says of ids; without it they are those of the text that was said. */
  spelling: string | undefined;
  private said = '';
  detokenize = () => Promise.resolve(this.spelling ?? this.said);
  close = () => Promise.resolve();

  complete(request: CompletionRequest, signal: AbortSignal): AsyncGenerator<EngineEvent[]> {
    return this.speak(() => this.requests.push(request), signal);
  }

  answerWithTools(request: ChatRequest, signal: AbortSignal): AsyncGenerator<EngineEvent[]> {
    return this.speak(() => this.chats.push(request), signal);
  }

  private async *speak(begin: () => void, signal: AbortSignal): AsyncGenerator<EngineEvent[]> {
    begin();
    this.changed();
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    try {
      for (;;) {
        signal.throwIfAborted();
        const next = this.inbox.shift();
        if (next instanceof Error) throw next;
        if (next !== undefined) yield next;
        else await Promise.race([aborted, new Promise<void>((resolve) => (this.hear = resolve))]);
        this.changed();
      }
    } finally {
      this.leftCount += 1;
      this.changed();
    }
  }

  /** One token; an empty text is held back. */
  say(text: string): void {
    this.said += text;
    this.send([{ kind: 'tokens', ids: [this.nextId++], text }]);
  }

  finish(stopReason: StopReason): void {
    this.send([{ kind: 'end', stopReason, stopSequence: null, tokensIn: 3, tokensOut: 0 }]);
  }

  breakOff(): void {
    this.send(new DroverError('WORKER_RESET', 'the connection to the engine was lost'));
  }

  fail(): void {
    this.send(new DroverError('INTERNAL', 'the engine refused the request with status 500'));
  }

  /** An answer with such a status, instead of a stream or amid one. */
  refuse(status: number): void {
    this.send(refusal(status, ''));
  }

  /** Resolves when this many requests have come. */
  asked = (count: number) => this.until(() => this.requests.length + this.chats.length >= count);
  /** Resolves when everything said was taken. */
  heard = () => this.until(() => this.inbox.length === 0);
  /** Resolves when this many requests were given up or came to their end. */
  left = (count: number) => this.until(() => this.leftCount >= count);

  /** Says these at once, or fails with the error. */
  send(message: EngineEvent[] | Error): void {
    this.inbox.push(message);
    this.hear?.();
  }

  private changed(): void {
    for (const listener of [...this.changes]) listener();
  }

  private async until(reached: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(5_000);
    while (!reached()) {
      deadline.throwIfAborted();
      await new Promise<void>((resolve) => {
        const listener = () => {
          this.changes.delete(listener);
          resolve();
        };
        this.changes.add(listener);
        setTimeout(listener, 20);
      });
    }
    // What was taken is worked on in the same turn of the loop; the next turn sees its effects.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A node for a test. */
export type TestNode = Awaited<ReturnType<typeof nodeOnDisk>>;

/** What a test's node is like. */
export interface NodeOptions {
  capacity?: number;
  slots?: number;
  offerTtlMs?: number;
  runLimitMs?: number;
  /** What the pool says of it. */
  wallMs?: number;
  runsDir?: string;
  policy?: FullQueuePolicy;
  diskReserveBytes?: number;
  openLog?: typeof openRunLog;
  /** Told of the queue's gauges. */
  queueDepth?: RunMetrics['queueDepth'];
  judged?: RunMetrics['judged'];
  /** Without it nothing is logged. */
  log?: Logger;
  engineCircuit?: CircuitPolicy;
  /** Told of every stream that broke off; without it the engine lives. */
  lookAtEngine?: (poolId: string, replicaId: string) => Promise<void>;
  /** Whether the node is in touch with Temporal; without it, always. */
  inTouch?: () => boolean;
  /** Which engine is at a URL; without it one engine is everywhere. */
  adapterOf?: (url: string) => EngineAdapter;
}

/** Builds a node over a new folder, or over the one of a node that crashed. */
export async function nodeOnDisk(options: NodeOptions) {
  const runsDir = options.runsDir ?? mkdtempSync(join(tmpdir(), 'drover-runs-'));
  const engine = new ManualEngine();
  const log = options.log ?? pino({ level: 'silent' });
  const canceled: string[] = [];
  const evicted: string[] = [];
  const ignore = () => undefined;
  const runs: RunRegister = new RunRegister({
    nodeId: 'node-1',
    runsDir,
    ring: RING,
    pools: () => pools,
    metrics: {
      started: ignore,
      firstToken: ignore,
      completed: ignore,
      queueDepth: options.queueDepth ?? ignore,
      judged: options.judged ?? ignore,
      evicted: (engine) => evicted.push(engine),
      canceled: (_labels, reason) => canceled.push(reason),
    },
    log,
    now: Date.now,
    offerTtlMs: options.offerTtlMs ?? 10_000,
    fullQueuePolicy: options.policy ?? 'reject',
    tombstoneMs: 600_000,
    runLimitMs: options.runLimitMs ?? 300_000,
    metricsFrameMs: 1_000,
    disconnectGraceMs: 30,
    diskReserveBytes: options.diskReserveBytes ?? 0,
    ...(options.openLog === undefined ? {} : { openLog: options.openLog }),
    ...(options.engineCircuit === undefined ? {} : { engineCircuit: options.engineCircuit }),
    inTouch: options.inTouch ?? (() => true),
    lookAtEngine: options.lookAtEngine ?? (() => Promise.resolve()),
  });
  const makeAdapter = (_kind: unknown, url: string) => options.adapterOf?.(url) ?? engine;
  const pools: PoolRegistry = new PoolRegistry(options.capacity ?? 16, makeAdapter, runs, Date.now);
  const { openLog } = options;
  await recoverRuns({
    runsDir,
    ring: RING,
    register: runs,
    log,
    ...(openLog === undefined ? {} : { openLog }),
  });
  const open = (slots: number, poolId = 'default') => {
    const prepared = preparedEngine.parse({
      pool_id: poolId,
      engine_version: 'test',
      binary_path: '/bin/true',
      port: 1,
      model_path: '/m.gguf',
      model_ref: 'demo',
      slots_total: slots,
      ctx_max: ManualEngine.CONTEXT,
      backend: 'cpu',
      ...(options.wallMs === undefined ? {} : { timeouts: { wall_ms: options.wallMs } }),
    });
    pools.ready({ prepared, url: `http://${poolId}:1`, pid: 1, startTicks: '1' });
  };
  if (options.slots !== 0) open(options.slots ?? 1);
  // The node's own timers keep no process alive; a test that waits for one must.
  const awake = setInterval(ignore, 1_000);
  let crashed = false;
  const crash = () => {
    clearInterval(awake);
    crashed = true;
    return runs.close();
  };
  return {
    runs,
    pools,
    engine,
    runsDir,
    canceled,
    evicted,
    open,
    crash,
    close: () => (crashed ? Promise.resolve() : crash()),
  };
}

/** Nodes of a file's tests: each is closed, and its folder removed, when its test has ended. */
export function nodesOfTests(): (options?: NodeOptions) => Promise<TestNode> {
  const nodes: TestNode[] = [];
  afterEach(async () => {
    const open = nodes.splice(0);
    for (const node of open) await node.close();
    for (const { runsDir } of open) rmSync(runsDir, { recursive: true, force: true });
  });
  return async (options = {}) => {
    const node = await nodeOnDisk(options);
    nodes.push(node);
    return node;
  };
}

/** An offer of a small task. */
export function offerOf(
  taskId: string,
  changes: {
    digest?: string;
    deadline_at_ms?: number;
    request?: Partial<TaskRequest>;
    input?: RunOffer['input'];
  } = {},
): RunOffer {
  const request: TaskRequest = {
    task_id: taskId,
    session_id: 's',
    workload: 'completion',
    model_ref: 'demo',
    engine: 'llamacpp',
    ctx: 0,
    priority: 'interactive',
    max_tokens: 8,
    deadline_ms: 60_000,
    prompt: 'hello',
    ...changes.request,
  };
  return {
    task_id: taskId,
    pool_id: 'default',
    epoch: 1,
    digest: changes.digest ?? 'digest',
    correlation_id: 'c',
    request,
    ...(changes.deadline_at_ms === undefined ? {} : { deadline_at_ms: changes.deadline_at_ms }),
    input: changes.input ?? { kind: 'text', text: 'hello' },
  };
}
