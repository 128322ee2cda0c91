/** `ls`, `show`, `rm`, and `models …`: models that pools serve, and those of the catalogue. */
import type { Command } from 'commander';
import { modelEntry, modelList, type ModelEntry } from '../../contracts/model.js';
import { poolList, type PoolHealth } from '../../contracts/pool.js';
import { CliError } from '../client/cli-error.js';
import { properties, table } from '../output/table.js';
import { acts, type Runtime, type Session } from '../session.js';
import { readAs } from './read-as.js';

/** A model by the name that a task asks for. */
interface ModelView {
  name: string;
  /** Reference of its files, where a pool tells it. */
  model_ref: string | null;
  /** Pools that have it. */
  pools: { pool_id: string; state: string; ready: boolean; ctx_max: number | null }[];
  /** Its entry in the catalogue, if there is one. */
  catalog: ModelEntry | null;
}

/** Adds the commands. */
export function addModels(program: Command, runtime: Runtime): void {
  const models = program.command('models').description('the same as "ls", "show" and "rm"');
  for (const command of [program.command('ls'), models.command('list').alias('ls')])
    command.description('list models').action(acts(runtime, list));
  for (const command of [program.command('show'), models.command('show')])
    command.description('show a model').argument('<model>', 'its name').action(acts(runtime, show));
  for (const command of [program.command('rm'), models.command('rm')])
    command
      .description('remove a model of the catalogue, with its files')
      .argument('<model>', 'its id in the catalogue')
      .action(acts(runtime, remove));
}

async function list(session: Session): Promise<void> {
  const models = await readModels(session);
  await session.out.show({ models }, () =>
    table(
      ['MODEL', 'STATE', 'POOLS', 'CONTEXT'],
      models.map((model) => [model.name, stateOf(model), poolsOf(model), contextOf(model)]),
    ),
  );
}

async function show(session: Session, [name = '']: readonly (string | undefined)[]): Promise<void> {
  const model = (await readModels(session)).find((known) => known.name === name || known.model_ref === name);
  if (model === undefined)
    throw new CliError('MODEL_NOT_FOUND', `there is no model "${name}", served or in the catalogue`);
  await session.out.show(model, () => {
    const { catalog } = model;
    return properties({
      model: model.name,
      reference: model.model_ref,
      state: stateOf(model),
      pools: poolsOf(model),
      context: contextOf(model),
      ...(catalog === null ? {} : catalogLines(catalog)),
    });
  });
}

async function remove({ http, out }: Session, [name = '']: readonly (string | undefined)[]): Promise<void> {
  await http.send({ method: 'DELETE', path: `/v2/catalog/models/${encodeURIComponent(name)}` });
  await out.show({ removed: name }, () => `removed ${name}`);
}

async function readModels(session: Session): Promise<ModelView[]> {
  const [{ pools }, { models }] = await Promise.all([
    readAs(session, '/v2/pools', poolList),
    readAs(session, '/v2/catalog/models', modelList),
  ]);
  const views = new Map<string, ModelView>();
  for (const pool of pools) addPool(views, pool);
  for (const entry of models) viewOf(views, entry.id).catalog = modelEntry.parse(entry);
  return [...views.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function addPool(views: Map<string, ModelView>, pool: PoolHealth): void {
  const { pool_id, state, ready, ctx_max, model_ref, model_name } = pool;
  const name = model_name ?? model_ref;
  if (name === null) return;
  const view = viewOf(views, name);
  view.model_ref ??= model_ref;
  view.pools.push({ pool_id, state, ready, ctx_max });
}

function viewOf(views: Map<string, ModelView>, name: string): ModelView {
  const view = views.get(name) ?? { name, model_ref: null, pools: [], catalog: null };
  views.set(name, view);
  return view;
}

function stateOf({ pools, catalog }: ModelView): string {
  if (pools.some(({ ready }) => ready)) return 'served';
  if (catalog?.lifecycle === 'Retired') return 'retired';
  return pools.length > 0 ? 'not ready' : 'in the catalogue';
}

function poolsOf({ pools }: ModelView): string {
  return (
    pools.map(({ pool_id, ready, state }) => (ready ? pool_id : `${pool_id} (${state})`)).join(', ') || '-'
  );
}

function contextOf({ pools }: ModelView): string {
  const largest = Math.max(0, ...pools.map(({ ctx_max }) => ctx_max ?? 0));
  return largest === 0 ? '-' : String(largest);
}

function catalogLines({ digest, local_path, lifecycle, source_url, verification, tags }: ModelEntry) {
  return {
    lifecycle,
    digest,
    verified: verification === null ? null : `${verification.result} (${verification.reason})`,
    source: source_url,
    path: local_path,
    tags: tags.join(', ') || null,
  };
}
