/** `nodes …`: the registry of nodes; `setup …` has the same commands by the names of Drover's forerunner. */
import { Option, type Command } from 'commander';
import {
  nodeAdded,
  nodeChanged,
  nodeList,
  registeredNode,
  type NodeAdded,
  type RegisteredNode,
} from '../../contracts/registered-node.js';
import { properties, table } from '../output/table.js';
import { acts, duration, type Runtime, type Session, type Work } from '../session.js';
import { nodeDrainCommands } from './node-drain.js';
import { addNodeHealth } from './health.js';
import { installCommand } from './node-install.js';
import { nameOf, placeIn, placeOptions, type NamedNode, type PlaceOptions } from './node-options.js';
import { callAs, readAs } from './read-as.js';

interface RemoveOptions extends NamedNode {
  force?: boolean;
  deadline: number;
}

/** Registry of the API. */
const BASE = '/v2/registry/beehives';
/** A visit is three tries of ten seconds, and what it is entered with ten more. */
const VISIT_LIMIT_MS = 60_000;
/** How long running tasks of a node's pools may go on, and what it takes to end them. */
const DRAIN_MS = 60_000;
const DRAIN_MARGIN_MS = 20_000;

/** Adds the commands. */
export function addNodes(program: Command, runtime: Runtime): void {
  const nodes = program
    .command('nodes')
    .description(
      'registered nodes: add, list, show, update, remove, check, install; drain, resume and health of those that report',
    );
  const setup = program.command('setup').description('the same as "nodes", with names as options');
  const named = (verb: string, alias?: string) => [
    nodes.command(verb).argument('<name>', 'its name'),
    ...(alias === undefined ? [] : [setup.command(alias).requiredOption('--name <name>', 'its name')]),
  ];
  for (const command of named('add', 'add-node'))
    placeOptions(command.description('reach a node by SSH, and enter it into the registry'), true).action(
      acts(runtime, add),
    );
  for (const command of [nodes.command('list'), setup.command('list-nodes')])
    command.description('list registered nodes').action(acts(runtime, list));
  for (const command of named('show'))
    command.description('show a node, and how SSH reaches it').action(acts(runtime, show));
  for (const command of named('update', 'update-node'))
    placeOptions(command.description('change what is registered of a node'), false).action(
      acts(runtime, update),
    );
  for (const command of named('remove', 'remove-node'))
    command
      .description('remove a node from the registry')
      .option('--force', 'drain the pools that it still has')
      .addOption(
        new Option('--deadline <time>', 'how long their tasks may go on')
          .argParser(duration)
          .default(DRAIN_MS, '1m'),
      )
      .action(acts(runtime, remove));
  for (const command of named('check'))
    command.description('reach a registered node by SSH').action(acts(runtime, check));
  addNodeHealth(nodes, runtime);
  for (const command of [
    ...named('install'),
    setup.command('install').requiredOption('--node <name>', 'its name'),
  ])
    installCommand(command, runtime);
  nodeDrainCommands(nodes, runtime);
}

const add: Work<PlaceOptions> = async (session, args, options) => {
  const body = { node_name: nameOf(args, options), ...(await placeIn(options)) };
  const call = { method: 'POST', path: `${BASE}/add`, body, limitMs: visitLimit(session) } as const;
  await tellVisit(session, await callAs(session, call, nodeAdded));
};

async function list(session: Session): Promise<void> {
  const body = await readAs(session, `${BASE}/list`, nodeList);
  await session.out.show(body, () =>
    table(
      ['NODE', 'STATUS', 'LAST CONTACT', 'HOST', 'INSTALLED AT'],
      body.nodes.map((node) => [
        ...[node.node_name, statusOf(session, node), contactOf(node)],
        ...[placeOf(node), node.install_path],
      ]),
    ),
  );
}

const show: Work<NamedNode> = async (session, args, options) => {
  const node = await readAs(session, pathOf(nameOf(args, options)), registeredNode);
  await tellNode(session, node);
};

const update: Work<PlaceOptions> = async (session, args, options) => {
  const body = await placeIn(options);
  const call = { method: 'PATCH', path: pathOf(nameOf(args, options)), body } as const;
  await tellNode(session, await callAs(session, call, registeredNode));
};

const remove: Work<RemoveOptions> = async (session, args, options) => {
  const { force = false, deadline } = options;
  const body = { node_name: nameOf(args, options), force, drain_deadline_ms: deadline };
  const limitMs = force ? deadline + DRAIN_MARGIN_MS : session.http.limits.quickMs;
  const call = { method: 'POST', path: `${BASE}/remove`, body, limitMs } as const;
  const answer = await callAs(session, call, nodeChanged);
  await session.out.show(answer, () => answer.message);
};

const check: Work<NamedNode> = async (session, args, options) => {
  const path = `${pathOf(nameOf(args, options))}/check`;
  const call = { method: 'POST', path, limitMs: visitLimit(session) } as const;
  await tellVisit(session, await callAs(session, call, nodeAdded));
};

function pathOf(name: string): string {
  return `${BASE}/${encodeURIComponent(name)}`;
}

function visitLimit({ http }: Session): number {
  return Math.max(http.limits.quickMs, VISIT_LIMIT_MS);
}

async function tellVisit({ out }: Session, answer: NodeAdded): Promise<void> {
  for (const advice of answer.advice) out.note(advice);
  await out.show(answer, () => `${answer.message}, in ${answer.round_trip_ms} ms`);
}

async function tellNode(session: Session, node: RegisteredNode): Promise<void> {
  await session.out.show(node, () =>
    properties({
      node: node.node_name,
      status: statusOf(session, node),
      'last contact': contactOf(node),
      host: placeOf(node),
      user: node.ssh_user,
      key: node.ssh_key_path,
      repository: node.git_repo_url,
      branch: node.git_branch,
      'installed at': node.install_path,
      backends: node.backends.join(', ') || '-',
    }),
  );
}

function placeOf({ ssh_host, ssh_port }: RegisteredNode): string {
  return ssh_port === 22 ? ssh_host : `${ssh_host} port ${ssh_port}`;
}

function contactOf({ last_connected_unix }: RegisteredNode): string {
  if (last_connected_unix === null) return 'never';
  return new Date(last_connected_unix * 1_000).toISOString().slice(0, 16).replace('T', ' ');
}

function statusOf({ out }: Session, { status }: RegisteredNode): string {
  const colour = status === 'reachable' ? 'green' : status === 'offline' ? 'red' : 'yellow';
  return out.paint(colour, status);
}
