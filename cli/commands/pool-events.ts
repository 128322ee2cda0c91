/** `pools events` and `logs`: what was done to a pool, step by step, and with `--follow` what is done as it happens. */
import type { Command } from 'commander';
import { CliError } from '../client/cli-error.js';
import { acts, type Runtime, type Session, type Work } from '../session.js';
import { tellNode } from './node-events.js';
import { followPool } from './follow-pool.js';
import { historyOf, readOperations } from './pool-history.js';

interface EventOptions {
  follow?: boolean;
  node?: string;
}

/** The pool that `npm start` makes. */
const DEFAULT_POOL = 'default';

/** Adds the commands. */
export function addPoolEvents(program: Command, pools: Command, runtime: Runtime): void {
  for (const command of [
    pools.command('events').description('what was done to a pool, step by step'),
    program.command('logs').description('the same as "pools events"'),
  ]) {
    command
      .argument('[pool]', 'its id; without it "default"')
      .option('--node <id>', 'all pools of this node, instead')
      .option('-f, --follow', 'go on with what happens, until Ctrl-C')
      .action(acts(runtime, tell));
  }
}

const tell: Work<EventOptions> = async (session, [pool], { follow = false, node }) => {
  if (node !== undefined && pool !== undefined)
    throw CliError.of('INVALID_ARGUMENT', 'give either a pool or --node');
  if (node !== undefined) await tellNode(session, node, follow);
  else if (follow) await followPool(session, pool ?? DEFAULT_POOL);
  else await tellPast(session, pool ?? DEFAULT_POOL);
};

async function tellPast(session: Session, pool: string): Promise<void> {
  const operations = await readOperations(session, pool);
  // Nothing was ever done to a pool that is there; of one that is not, this says so.
  if (operations.length === 0)
    await session.http.json({ path: `/v2/pools/${encodeURIComponent(pool)}/health` });
  await session.out.show({ operations }, () => historyOf(operations));
}
