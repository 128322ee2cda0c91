/** `keys`: make, list and revoke the keys of clients, operators and nodes. */
import { Option, type Command } from 'commander';
import { keyList, keyMade } from '../../contracts/key.js';
import { KEY_ROLES, type KeyRole } from '../../domain/access.js';
import { table } from '../output/table.js';
import { acts, wholeNumber, type Runtime, type Session, type Work } from '../session.js';
import { callAs, readAs } from './read-as.js';

interface CreateOptions {
  name: string;
  role: KeyRole;
  rate?: number;
}

/** Adds the commands. */
export function addKeys(program: Command, runtime: Runtime): void {
  const keys = program.command('keys').description('API keys: create, list, revoke');
  keys
    .command('create')
    .description('make a key; it is told this once')
    .requiredOption('--name <name>', 'whom or what it is for')
    .addOption(new Option('--role <role>', 'what it may do').choices(KEY_ROLES).default('client'))
    .option('--rate <n>', 'requests a minute that it may make', wholeNumber)
    .action(acts(runtime, create));
  keys.command('list').description('list keys, the newest first').action(acts(runtime, list));
  keys.command('revoke').description('revoke a key').argument('<id>', 'its id').action(acts(runtime, revoke));
}

const create: Work<CreateOptions> = async (session, _args, { name, role, rate }) => {
  const body = { name, role, ...(rate === undefined ? {} : { rate_limit_per_minute: rate }) };
  const made = await callAs(session, { method: 'POST', path: '/v2/keys', body }, keyMade);
  session.out.note(`key ${made.id} for "${made.name}", role ${made.role}; it is not shown again`);
  await session.out.show(made, () => made.key);
};

async function list(session: Session): Promise<void> {
  const body = await readAs(session, '/v2/keys', keyList);
  await session.out.show(body, () =>
    table(
      ['ID', 'NAME', 'ROLE', 'RATE', 'MADE', 'LAST USED', 'STATE'],
      body.keys.map(({ id, name, role, rate_limit_per_minute, created_ms, last_used_ms, revoked_ms }) => [
        ...[id, name, role, String(rate_limit_per_minute ?? '-'), day(created_ms), day(last_used_ms)],
        revoked_ms === null ? 'valid' : 'revoked',
      ]),
    ),
  );
}

const revoke: Work<object> = async ({ http, out }, [id = '']) => {
  await http.send({ method: 'DELETE', path: `/v2/keys/${encodeURIComponent(id)}` });
  await out.show({ revoked: id }, () => `revoked ${id}`);
};

function day(atMs: number | null): string {
  return atMs === null ? 'never' : new Date(atMs).toISOString().slice(0, 16).replace('T', ' ');
}
