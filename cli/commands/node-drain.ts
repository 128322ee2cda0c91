/** `nodes drain|resume`: a node is taken out of service, and put back. */
import { Option, type Command } from 'commander';
import { nodeDrained, nodeResumed } from '../../contracts/node-service.js';
import { acts, duration, type Runtime, type Work } from '../session.js';
import { callAs } from './read-as.js';

/** How long running tasks of a node's pools may go on. */
const DRAIN_MS = 60_000;

/** Adds both. */
export function nodeDrainCommands(nodes: Command, runtime: Runtime): void {
  nodes
    .command('drain')
    .argument('<name>', 'its name')
    .description('take a node out of service: its pools are drained, and it gets no task')
    .addOption(
      new Option('--deadline <time>', 'how long running tasks may go on')
        .argParser(duration)
        .default(DRAIN_MS, '1m'),
    )
    .action(acts(runtime, drain));
  nodes
    .command('resume')
    .argument('<name>', 'its name')
    .description('put a drained node back into service')
    .action(acts(runtime, resume));
}

const drain: Work<{ deadline: number }> = async (session, [name = ''], { deadline }) => {
  const call = { method: 'POST', path: pathOf(name, 'drain'), body: { deadline_ms: deadline } } as const;
  const answer = await callAs(session, call, nodeDrained);
  const lines = answer.pools.map(({ pool_id, operation_id, problem }) =>
    operation_id === null
      ? `${pool_id} is not drained: ${problem}`
      : `${pool_id} is drained: ${operation_id}`,
  );
  await session.out.show(answer, () => [`${answer.node_id} gets no more tasks`, ...lines].join('\n'));
};

const resume: Work<object> = async (session, [name = '']) => {
  const call = { method: 'POST', path: pathOf(name, 'resume') } as const;
  const answer = await callAs(session, call, nodeResumed);
  await session.out.show(answer, () => `${answer.node_id} may work again: preload its pools`);
};

function pathOf(name: string, verb: 'drain' | 'resume'): string {
  return `/v2/nodes/${encodeURIComponent(name)}/${verb}`;
}
