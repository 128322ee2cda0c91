/** Activity `probeEngine`: one token from the engine, because its health can lie (design §5). */
import { Context } from '@temporalio/activity';
import type { NodeActivityDeps } from '../deps.js';
import { poolFailure } from '../failures.js';
import { engineFields } from '../pool/pool-fields.js';
import { probeWork } from './adapters/probe-work.js';
import type { StartingEngine } from './await-engine-ready.js';
import { heartbeating } from './heartbeating.js';

/** Builds the activity `probeEngine`. */
export function probeEngineActivity({ adapterOf, log }: Pick<NodeActivityDeps, 'adapterOf' | 'log'>) {
  /**
   * Resolves when the engine has generated a token.
   * @throws ApplicationFailure `HealthTimeout`, retryable: the first token of a cold engine may take its time
   */
  return async function probeEngine({ prepared, engine }: StartingEngine): Promise<void> {
    const { pool_id, replica_id } = prepared;
    const adapter = adapterOf(prepared.engine, engine.url);
    try {
      await heartbeating((signal) => probeWork(adapter, signal));
    } catch (cause) {
      Context.current().cancellationSignal.throwIfAborted();
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `health check failed: pool ${pool_id} at ${engine.url} generates no token: ${reason}`;
      const fields = { event: 'engine_probe_failed', ...engineFields(prepared), pid: engine.pid };
      log.warn({ ...fields, last_error: message, err: cause }, message);
      throw poolFailure('HealthTimeout', message, { pool_id, replica_id, url: engine.url }, { cause });
    } finally {
      await adapter.close();
    }
  };
}
