/** `catalog …`: a copy of what the catalogue of models, and all else of the database, is. */
import type { Command } from 'commander';
import { backupTaken } from '../../contracts/backup.js';
import { acts, type Runtime, type Session } from '../session.js';
import { callAs } from './read-as.js';

/** Reading and writing gigabytes takes minutes. */
const BACKUP_LIMIT_MS = 11 * 60_000;

/** Adds the commands. */
export function addCatalog(program: Command, runtime: Runtime): void {
  program
    .command('catalog')
    .description('the catalogue of models: backup')
    .command('backup')
    .description('copy its database, beside it, while everybody goes on with it')
    .action(acts(runtime, backUp));
}

async function backUp(session: Session): Promise<void> {
  const call = { method: 'POST', path: '/v2/catalog/backup', limitMs: BACKUP_LIMIT_MS } as const;
  const taken = await callAs(session, call, backupTaken);
  const { name, size_bytes, models, restore } = taken;
  session.out.note(`${models} models and all else, ${size_bytes} bytes, read through and found whole`);
  session.out.note(`to put it back, on the machine of the API, with Drover stopped:\n  ${restore}`);
  await session.out.show(taken, () => name);
}
