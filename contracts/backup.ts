/** Copies of the database that the catalogue is in. */
import { z } from 'zod';

/** Body of the 201 of `POST /v2/catalog/backup`. */
export const backupTaken = z
  .object({
    name: z.string().meta({ description: 'its file, in `store/backups` of the state folder of the API' }),
    size_bytes: z.int(),
    taken_at_ms: z.int(),
    models: z.int().meta({ description: 'models of the catalogue that it holds' }),
    verified: z.literal(true).meta({ description: 'it was read through' }),
    restore: z.string().meta({
      description:
        'commands that put it back, on the machine of the API, while API and control worker are stopped',
    }),
  })
  .meta({ id: 'CatalogBackup' });
