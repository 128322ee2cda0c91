/** `stop` and `pools preload|drain|reload|purge|reset`. */
import { Option, type Command } from 'commander';
import { supervisionView } from '../../contracts/supervision.js';
import { CliError } from '../client/cli-error.js';
import { acts, duration, several, type Runtime, type Session, type Work } from '../session.js';
import { confirm } from './confirm.js';
import { operate, type OperationAsk } from './follow-operation.js';
import { callAs } from './read-as.js';
import { readDocument } from './read-document.js';

interface Detached {
  detach?: boolean;
}
interface DrainOptions extends Detached {
  deadline: number;
}
interface ReloadOptions extends DrainOptions {
  model?: string;
  prepared?: string;
  force?: boolean;
  strategy: string;
}
interface PurgeOptions extends DrainOptions {
  engine?: boolean;
  model?: readonly string[];
  cache?: boolean;
  drain: boolean;
  force?: boolean;
  yes?: boolean;
}

/** How long running tasks may go on. */
const DRAIN_MS = 60_000;
/** The option that says how long running tasks may go on. */
export const drainDeadline = () =>
  new Option('--deadline <time>', 'how long running tasks may go on')
    .argParser(duration)
    .default(DRAIN_MS, '1m');
const DETACH = ['--detach', 'do not wait for the end'] as const;

/** Adds the commands. */
export function addPoolOperations(program: Command, pools: Command, runtime: Runtime): void {
  pools
    .command('preload')
    .description('start an engine from its launch description, and tell of its steps until it is ready')
    .argument('<file>', 'launch description (a PreparedEngine) in JSON or YAML; "-" reads standard input')
    .option('--follow', 'tell of the steps until the end, which is what happens without --detach, too')
    .option(...DETACH)
    .action(acts(runtime, preload));
  for (const command of [
    program.command('stop').description('drain a pool, then stop its engine'),
    pools.command('drain').description('the same as "drover stop"'),
  ])
    command
      .argument('<pool>', 'its id')
      .addOption(drainDeadline())
      .option(...DETACH)
      .action(acts(runtime, drain));
  addReload(pools, runtime);
  addPurge(pools, runtime);
  pools
    .command('reset')
    .description('close the circuit that holds the restarts of a pool whose engine crashed again and again')
    .argument('<pool>', 'its id')
    .action(acts(runtime, reset));
}

function addReload(pools: Command, runtime: Runtime): void {
  pools
    .command('reload')
    .description('exchange the model of a pool without cutting a stream')
    .argument('<pool>', 'its id')
    .option('--model <ref>', 'reference of the new model')
    .option('--prepared <file>', 'or another launch description, in JSON or YAML')
    .option('--force', 'end tasks that outlast the deadline, instead of giving the reload up')
    .addOption(
      new Option('--strategy <how>', 'beside the old engine, or in its place')
        .choices(['auto', 'beside', 'in_place'])
        .default('auto'),
    )
    .addOption(drainDeadline())
    .option(...DETACH)
    .action(acts(runtime, reload));
}

function addPurge(pools: Command, runtime: Runtime): void {
  pools
    .command('purge')
    .description('drain a pool, then remove what is asked for')
    .argument('<pool>', 'its id')
    .option('--engine', 'the pool itself: its node forgets it')
    .option('--model <id>', 'a model of the catalogue, with its files; may be given several times', several)
    .option('--cache', 'what its engines left in their working directories')
    .option('--no-drain', 'stop the engine at once, where it must be stopped')
    .option('--force', 'models go even while a pool serves them')
    .option('--yes', 'do not ask')
    .addOption(drainDeadline())
    .option(...DETACH)
    .action(acts(runtime, purge));
}

const preload: Work<Detached> = async (session, [file = ''], { detach = false }) => {
  const prepared = await readDocument(file, session.runtime.stdin);
  const pool = prepared['pool_id'];
  if (typeof pool !== 'string') throw CliError.of('INVALID_ARGUMENT', `${file} names no "pool_id"`);
  await tell(session, { pool, verb: 'preload', body: { prepared }, detach }, `${pool} is ready`);
};

const drain: Work<DrainOptions> = async (session, [pool = ''], { deadline, detach = false }) => {
  const body = { deadline_ms: deadline };
  await tell(session, { pool, verb: 'drain', body, detach }, `${pool} is drained and stopped`);
};

const reload: Work<ReloadOptions> = async (session, [pool = ''], options) => {
  const { model, prepared, deadline, force = false, strategy, detach = false } = options;
  if ((model === undefined) === (prepared === undefined))
    throw CliError.of('INVALID_ARGUMENT', 'give either --model or --prepared');
  const wanted =
    prepared === undefined
      ? { new_model_ref: model }
      : { prepared: await readDocument(prepared, session.runtime.stdin) };
  const body = { ...wanted, drain_deadline_ms: deadline, force, strategy };
  await tell(session, { pool, verb: 'reload', body, detach }, `${pool} is reloaded`);
};

const purge: Work<PurgeOptions> = async (session, [pool = ''], options) => {
  const { engine = false, model = [], cache = false, drain: drainFirst, force = false, deadline } = options;
  const { yes = false, detach = false } = options;
  if (!yes) await confirm(session, `purge ${pool}?`);
  const body = {
    ...{ purge_engine: engine, purge_models: model, delete_cache_dirs: cache, force },
    ...{ drain_first: drainFirst, drain_deadline_ms: deadline },
  };
  await tell(session, { pool, verb: 'purge', body, detach }, `${pool} is purged`);
};

const reset: Work<object> = async (session, [pool = '']) => {
  const path = `/v2/pools/${encodeURIComponent(pool)}/circuit/reset`;
  const view = await callAs(session, { method: 'POST', path }, supervisionView);
  await session.out.show(view, () => `the circuit of ${pool} is closed; its supervisor: ${view.step}`);
};

async function tell(session: Session, ask: OperationAsk, done: string): Promise<void> {
  const outcome = await operate(session, ask);
  const { operation_id } = Object(outcome) as { operation_id?: string };
  await session.out.show(outcome, () => (operation_id === undefined ? done : `${operation_id} is under way`));
}
