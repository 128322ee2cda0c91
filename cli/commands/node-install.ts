/** `nodes install`: Drover is brought to a registered node, and its steps are told until the node reports. */
import type { Command } from 'commander';
import { nodeEvents, type NodeOperation } from '../../contracts/node-install.js';
import { operationAccepted } from '../../contracts/pool.js';
import { CliError } from '../client/cli-error.js';
import type { StreamEvent } from '../client/event-stream.js';
import type { Taken } from '../client/follow.js';
import { dataOf } from '../client/task-reader.js';
import { acts, wholeNumber, type Runtime, type Session, type Work } from '../session.js';
import { followProgress } from './follow-progress.js';
import { nameOf, type NamedNode } from './node-options.js';
import { callAs } from './read-as.js';

interface InstallOptions extends NamedNode {
  apiUrl?: string;
  temporalAddress?: string;
  port?: number;
  detach?: boolean;
}

/** Adds the options and the action to a command that names a node. */
export function installCommand(command: Command, runtime: Runtime): void {
  command
    .description('install Drover on a registered node over SSH, or bring it up to date, and start its worker')
    .option('--api-url <url>', 'where the node reaches the API; without it as the control worker knows it')
    .option(
      '--temporal-address <host:port>',
      'where it reaches Temporal; without it as the control worker does',
    )
    .option('--port <n>', 'port of its gateway; 9200 unless said otherwise', wholeNumber)
    .option('--detach', 'do not wait for the end')
    .action(acts(runtime, install));
}

const install: Work<InstallOptions> = async (session, args, options) => {
  const name = nameOf(args, options);
  const { apiUrl, temporalAddress, port, detach = false } = options;
  const body = {
    ...(apiUrl === undefined ? {} : { api_url: apiUrl }),
    ...(temporalAddress === undefined ? {} : { temporal_address: temporalAddress }),
    ...(port === undefined ? {} : { port }),
  };
  const path = `/v2/registry/beehives/${encodeURIComponent(name)}`;
  const call = { method: 'POST', path: `${path}/install`, body } as const;
  const accepted = await callAs(session, call, operationAccepted);
  if (detach) return session.out.show(accepted, () => `${accepted.operation_id} is under way`);
  const installed = outcomeOf(session, await follow(session, `${path}/events`));
  const { version, commit, worker } = installed;
  await session.out.show(
    installed,
    () => `${name} reports: version ${version} at ${commit.slice(0, 12)}, node worker ${worker}`,
  );
};

async function follow(session: Session, path: string): Promise<NodeOperation> {
  let ended: NodeOperation | undefined;
  await followProgress(session, {
    ...{ kind: 'PROGRESS_STREAM', path },
    take: (event) => {
      if (event.event !== 'end') return takeStep(session, event);
      ended = dataOf(event, nodeEvents.end);
      return 'last';
    },
  });
  if (ended === undefined) throw new TypeError('a stream that was followed to its last event has an end');
  return ended;
}

function takeStep({ out }: Session, event: StreamEvent): Taken {
  if (event.event !== 'step') return 'nothing';
  const { step, doing } = dataOf(event, nodeEvents.step);
  out.note(out.json ? JSON.stringify({ step, doing }) : doing);
  return 'new';
}

/** @throws CliError as the installation failed, with its step and the last words of what was carried out */
function outcomeOf({ out }: Session, { status, error, outcome, operation_id }: NodeOperation) {
  if (status === 'completed' && outcome !== null) return outcome;
  if (error === null)
    throw CliError.of('OPERATION_FAILED', `the installation was ${status}`, { details: { operation_id } });
  const { code, message, details } = error;
  if (out.json) throw new CliError(code, message, { details: { ...details, operation_id } });
  const { output_tail = '', ...facts } = details;
  const said = output_tail === '' ? '' : `\n${output_tail.replace(/^/gm, '  | ')}`;
  throw new CliError(code, `${message}${said}`, { details: { ...facts, operation_id } });
}
