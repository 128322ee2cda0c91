/** Makes the engine of a launch available on its node, step by step (B-PROV-001..012). */
import type { PreparedEngine } from '../../contracts/pool.js';
import { doingOf, isUnprovided, withProvidedEngine, type EngineStep } from '../../domain/engine-provision.js';
import type { onNode } from './activities.js';

/**
 * The launch with its engine where it is, after it was made if it was not there.
 * @param tell - is told of each step before it is taken
 */
export async function provideEngine(
  node: ReturnType<typeof onNode>,
  prepared: PreparedEngine,
  tell: (step: EngineStep, doing: string) => void,
): Promise<PreparedEngine> {
  const { provisioning, pool_id, engine, backend } = prepared;
  if (!isUnprovided(prepared) || provisioning === undefined) return prepared;
  const order = { pool_id, engine, backend, provisioning };
  tell('preflight-tools', 'looking for the engine, and for the tools that it takes');
  const { engine_id, present, steps } = await node
    .quick('look for the engine and its tools')
    .planEngine(order);
  if (present !== null) return withProvidedEngine(prepared, present);
  for (const step of steps) {
    const doing = doingOf(step, provisioning);
    tell(step, doing);
    await node.making(doing).takeEngineStep({ ...order, engine_id, step });
  }
  const made = await node.quick('note the engine').recordEngine({ ...order, engine_id });
  return withProvidedEngine(prepared, made);
}
