/**
 * A circuit for each engine: one that fails at task after task is left alone for a while, then tried with a single task, so
 * that the tasks of its pool wait for another replica, or for its recovery, rather than fail at it one by one. An engine
 * whose process dies is the supervisor's; this is about one that lives and answers with errors.
 */
import { EngineFault } from '../../activities/engine/adapters/engine-failure.js';
import { engineFields } from '../../activities/pool/pool-fields.js';
import { DroverError, type ErrorCode } from '../../contracts/errors.js';
import { afterCrash, CLOSED, tested, type CircuitPolicy } from '../../domain/circuit.js';
import type { Logger } from '../../telemetry/logger.js';
import { ContinuationError } from './continuation.js';
import type { Pool, PoolRegistry, Replica } from './pool-registry.js';

/** Five failures in a row; 10 s of rest, twice as long each time, a minute at most. */
export const ENGINE_CIRCUIT: CircuitPolicy = {
  circuit_threshold: 5,
  circuit_open_ms: 10_000,
  circuit_open_cap_ms: 60_000,
};

/** What a broken connection, and silence, are told as; a refusal of one request says nothing of the next. */
const FAULTS: readonly ErrorCode[] = ['WORKER_RESET', 'POOL_UNAVAILABLE', 'DECODE_TIMEOUT'];

/** What circuits work with. */
export interface EngineCircuitsDeps {
  pools: () => PoolRegistry;
  now: () => number;
  policy: CircuitPolicy;
  log: Logger;
}

/** Circuits of a node's engines; each is kept with its replica. */
export class EngineCircuits {
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(private readonly deps: EngineCircuitsDeps) {}

  /** The engine has said something: a test is passed. */
  answered(pool: Pool, replica: Replica): void {
    if (replica.circuit.state !== 'half_open') return;
    replica.circuit = CLOSED;
    this.tell('engine_circuit_closed', replica);
    this.allow(pool, replica, Infinity);
  }

  /** The engine has served a task to its end. */
  served(replica: Replica): void {
    if (replica.circuit.state === 'closed') replica.circuit = CLOSED;
  }

  /** A task has failed at the engine, for whatever reason. */
  failed(pool: Pool, replica: Replica, err: unknown): void {
    if (!isFaultOfEngine(err)) return;
    const { policy, now } = this.deps;
    const before = replica.circuit.state;
    replica.circuit = afterCrash(replica.circuit, policy, now());
    const { state, open_until_ms } = replica.circuit;
    if (state !== 'open' || before === 'open') return;
    this.tell('engine_circuit_opened', replica);
    this.allow(pool, replica, 0);
    this.testAfter((open_until_ms ?? now()) - now(), pool, replica);
  }

  /** Waits for no engine any more. */
  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }

  private testAfter(ms: number, pool: Pool, replica: Replica): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      replica.circuit = tested(replica.circuit);
      this.allow(pool, replica, 1);
    }, ms).unref();
    this.timers.add(timer);
  }

  /** The slots of a name are the engine's that has it now. */
  private allow(pool: Pool, replica: Replica, tasks: number): void {
    const { replica_id } = replica.engine.prepared;
    if (this.deps.pools().get(pool.poolId)?.replicas.get(replica_id) !== replica) return;
    pool.scheduler.limit(replica_id, tasks);
    pool.scheduler.pump();
  }

  private tell(event: string, { engine, circuit }: Replica): void {
    const { failures, open_until_ms } = circuit;
    const line = { event, ...engineFields(engine.prepared), failures, open_until_ms };
    this.deps.log.warn(line, event.replaceAll('_', ' '));
  }
}

function isFaultOfEngine(err: unknown): boolean {
  if (!(err instanceof DroverError) || err instanceof ContinuationError) return false;
  return err instanceof EngineFault || FAULTS.includes(err.code);
}

/** When an engine of the pool is tried again, where all of them are left alone; else undefined. */
export function openUntilMs({ replicas }: Pick<Pool, 'replicas'>): number | undefined {
  const times = [...replicas.values()].map(({ circuit }) => circuit.open_until_ms);
  const open = times.filter((time) => time !== null);
  return open.length > 0 && open.length === times.length ? Math.min(...open) : undefined;
}
