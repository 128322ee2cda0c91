/** `ps`, `stop`, `logs` and `pools …`: how pools stand, and what is done to them. */
import type { Command } from 'commander';
import { poolHealth, poolList, type PoolHealth } from '../../contracts/pool.js';
import { properties, table } from '../output/table.js';
import { acts, type Runtime, type Session } from '../session.js';
import { addPoolEvents } from './pool-events.js';
import { addPoolOperations } from './pool-operations.js';
import { historyOf, readOperations } from './pool-history.js';
import { readAs } from './read-as.js';

/** Adds the commands. */
export function addPools(program: Command, runtime: Runtime): void {
  program
    .command('ps')
    .description('show pools, their engines and what runs')
    .action(acts(runtime, showEngines));
  const pools = program.command('pools').description('pools: list, get, and what can be done to them');
  pools.command('list').description('list pools').action(acts(runtime, list));
  pools.command('get').description('show a pool').argument('<pool>', 'its id').action(acts(runtime, show));
  addPoolOperations(program, pools, runtime);
  addPoolEvents(program, pools, runtime);
}

async function showEngines(session: Session): Promise<void> {
  const body = await readAs(session, '/v2/pools', poolList);
  const head = [
    'POOL',
    'MODEL',
    'ENGINE',
    'BACKEND',
    'STATE',
    'RUNNING',
    'SLOTS',
    'WAITING',
    'SLEEPS',
    'NODES',
  ];
  await session.out.show(body, () => [
    ...table(
      head,
      body.pools.map((pool) => [
        ...[pool.pool_id, modelOf(pool), engineOf(pool), pool.backend ?? '-', stateOf(session, pool)],
        ...[String(pool.active_leases), String(pool.slots_total ?? '-'), String(pool.metrics.queue_depth)],
        ...[sleepsIn(pool), pool.node_ids.join(', ')],
      ]),
    ),
    ...body.pools.flatMap(({ pool_id, last_error }) =>
      last_error === null ? [] : [`${pool_id}: ${last_error}`],
    ),
  ]);
}

async function list(session: Session): Promise<void> {
  const body = await readAs(session, '/v2/pools', poolList);
  await session.out.show(body, () =>
    table(
      ['POOL', 'MODEL', 'STATE', 'NODES'],
      body.pools.map((pool) => [
        pool.pool_id,
        modelOf(pool),
        stateOf(session, pool),
        pool.node_ids.join(', '),
      ]),
    ),
  );
}

async function show(session: Session, [id = '']: readonly (string | undefined)[]): Promise<void> {
  const pool = await readAs(session, `/v2/pools/${encodeURIComponent(id)}/health`, poolHealth);
  const operations = await readOperations(session, id);
  await session.out.show({ ...pool, operations }, () => [
    ...properties({
      pool: pool.pool_id,
      state: stateOf(session, pool),
      since: new Date(pool.changed_at_ms).toISOString(),
      model: modelOf(pool),
      reference: pool.model_ref,
      engine: engineOf(pool),
      backend: pool.backend,
      devices: pool.device_mask,
      context: pool.ctx_max,
      slots: pool.slots_total === null ? null : `${pool.slots_free ?? 0} of ${pool.slots_total} free`,
      running: pool.active_leases,
      waiting: pool.metrics.queue_depth,
      nodes: pool.node_ids.join(', '),
      'on demand': pool.on_demand ? 'yes' : null,
      sleeps: pool.sleeps_at_ms === null ? null : new Date(pool.sleeps_at_ms).toISOString(),
      'next restart': pool.next_restart_at,
      'last error': pool.last_error,
    }),
    ...historyOf(operations),
  ]);
}

function modelOf({ model_name, model_ref }: PoolHealth): string {
  return model_name ?? model_ref ?? '-';
}

/** When a pool goes to sleep if nobody asks for it before. */
function sleepsIn({ state, sleeps_at_ms: atMs }: PoolHealth): string {
  if (state === 'asleep') return 'now';
  return atMs === null ? '-' : `in ${Math.max(0, Math.ceil((atMs - Date.now()) / 1_000))} s`;
}

function engineOf({ engine, engine_version }: PoolHealth): string {
  return engine === null ? '-' : `${engine} ${engine_version ?? ''}`.trimEnd();
}

function stateOf({ out }: Session, { state, ready }: PoolHealth): string {
  const colour = ready ? 'green' : state === 'failed' ? 'red' : 'yellow';
  return out.paint(colour, state);
}
