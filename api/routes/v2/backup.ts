/** `POST /v2/catalog/backup`: a copy of the database, made while everybody goes on with it (B-MODEL-027). */
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { backupTaken } from '../../../contracts/backup.js';
import type { StoreBackup } from '../../../store/backup.js';
import type { Store } from '../../../store/open-store.js';
import { refusals } from '../refusals.js';

/** What the route calls. */
export interface BackupRouteOptions {
  backup: Store['backup'];
}

/** The route. */
export const backupRoute: FastifyPluginCallbackZod<BackupRouteOptions> = (app, { backup }, done) => {
  let taking: Promise<StoreBackup> | undefined;

  /** Who asks while one is being made gets that one. */
  function take(): Promise<StoreBackup> {
    taking ??= backup().finally(() => (taking = undefined));
    return taking;
  }

  app.post(
    '/v2/catalog/backup',
    {
      config: { audit: 'catalog_backed_up' },
      schema: {
        operationId: 'backUpCatalog',
        summary: 'Copy the database of the catalogue',
        description:
          'All tables, as they were at one moment, into a file beside the database that was read through. For SQLite; ' +
          'PostgreSQL has means of its own.',
        tags: ['catalog'],
        response: { 201: backupTaken, ...refusals(400, 503) },
      },
    },
    async (request, reply) => {
      const taken = await take();
      request.auditDetails = { name: taken.name };
      request.log.info({ event: 'catalog_backed_up', ...taken }, 'the database was copied');
      return reply.code(201).send({ ...taken, verified: true });
    },
  );
  done();
};
