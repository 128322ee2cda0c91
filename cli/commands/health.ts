/** `health`: how all parts are, each by itself; `nodes health`: whether a node is there. */
import type { Command } from 'commander';
import { healthChain, nodeAlive } from '../../contracts/health.js';
import { CliError } from '../client/cli-error.js';
import { table } from '../output/table.js';
import { acts, type Runtime, type Session } from '../session.js';
import { readAs } from './read-as.js';

/** Three attempts of ten seconds, and what is between them. */
const NODE_LIMIT_MS = 32_000;

/** Adds `health`. */
export function addHealth(program: Command, runtime: Runtime): void {
  program
    .command('health')
    .description('tell how the API, its nodes and their engines are; one that is not well ends it with 1')
    .action(acts(runtime, tellAll));
}

/** Adds `health` to the commands of nodes. */
export function addNodeHealth(nodes: Command, runtime: Runtime): void {
  nodes
    .command('health')
    .description('ask a node that reports whether it is there')
    .argument('<node>', 'its id, as "drover health" has it')
    .action(acts(runtime, askNode));
}

/** @throws CliError CHECK_FAILED */
async function tellAll(session: Session): Promise<void> {
  const chain = await readAs(session, '/v2/health', healthChain);
  const { api, nodes } = chain;
  const parts = [
    { part: 'api', name: session.target.url, ...api },
    ...nodes.flatMap(({ workers, node_id, ...node }) => [
      { part: 'node', name: node_id, ...node },
      ...workers.map(({ worker_id, ...worker }) => ({ part: 'worker', name: worker_id, ...worker })),
    ]),
  ];
  await session.out.show(chain, () =>
    table(
      ['PART', 'NAME', 'HEALTH', 'WHY'],
      parts.map(({ part, name, status, problem }) => [part, name, status, problem ?? '-']),
    ),
  );
  if (chain.status === 'healthy') return;
  const ill = parts.filter(({ status }) => status !== 'healthy');
  throw CliError.of('CHECK_FAILED', `${ill.length} of ${parts.length} parts are not well`, {
    details: { failed: ill.map(({ name }) => name).join(', ') },
  });
}

async function askNode(session: Session, [id = '']: readonly (string | undefined)[]): Promise<void> {
  const limitMs = Math.max(session.http.limits.quickMs, NODE_LIMIT_MS);
  const call = { path: `/v2/nodes/${encodeURIComponent(id)}/health`, limitMs, again: false };
  const parsed = nodeAlive.parse(await session.http.json(call));
  await session.out.show(parsed, () => `${id} is ${parsed.status}, version ${parsed.version}`);
}
