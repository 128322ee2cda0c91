/** `logs --node`: what was done to the pools of a node, and with `--follow` what is done to all of them as it happens. */
import { poolList } from '../../contracts/pool.js';
import { CliError } from '../client/cli-error.js';
import type { Session } from '../session.js';
import { followPool } from './follow-pool.js';
import { historyOf, readOperations } from './pool-history.js';
import { readAs } from './read-as.js';

/** Tells it. @throws CliError NO_WORKERS for a node without a pool; SSE_CONNECTION_* */
export async function tellNode(session: Session, node: string, follow: boolean): Promise<void> {
  const { pools } = await readAs(session, '/v2/pools', poolList);
  const ids = pools.filter(({ node_ids }) => node_ids.includes(node)).map(({ pool_id }) => pool_id);
  if (ids.length === 0)
    throw CliError.of('NO_WORKERS', `no pool is on a node "${node}"`, {
      details: { operation: 'logs', expected: '1 pool or more', actual: 0 },
      suggestedAction: '"drover health" says which nodes there are',
    });
  if (follow) await Promise.all(ids.map((pool) => followPool(session, pool, `${pool}  `)));
  else await tellPast(session, ids);
}

async function tellPast(session: Session, ids: readonly string[]): Promise<void> {
  const operations = (await Promise.all(ids.map((pool) => readOperations(session, pool)))).flat();
  await session.out.show({ operations }, () => historyOf(operations, ({ pool_id }) => `${pool_id}  `));
}
