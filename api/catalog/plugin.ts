/** All that the API does about models of the catalogue: made, verified, retired, fetched, removed. */
import type { FastifyPluginAsync } from 'fastify';
import type { Settings } from '../../contracts/settings.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { Store } from '../../store/open-store.js';
import { backupRoute } from '../routes/v2/backup.js';
import { modelDownloadRoutes } from '../routes/v1/model-downloads.js';
import { downloadRoutes } from '../routes/v2/downloads.js';
import { modelStateRoutes } from '../routes/v2/model-state.js';
import { catalogRoutes } from '../routes/v2/models.js';
import type { NodeLink } from '../clients/node-link.js';
import type { TaskRecords } from '../clients/task-records.js';
import { createCatalog, type CatalogDeps } from './catalog.js';
import { createDownloads } from './downloads.js';
import { createModelRemoval } from './remove-model.js';
import { createVerifier } from './verify-model.js';

/** What the catalogue's routes work with. */
export interface CatalogOptions extends Pick<
  CatalogDeps,
  'models' | 'files' | 'gate' | 'board' | 'drainPool' | 'addressOf'
> {
  settings: Settings;
  records: TaskRecords;
  nodes: Pick<NodeLink, 'nodeIds'>;
  backup: Store['backup'];
  metrics: Metrics;
  now: () => number;
}

/** Routes of the catalogue. */
export const catalog: FastifyPluginAsync<CatalogOptions> = async (app, options) => {
  const { settings, records, nodes, metrics, now, backup, ...parts } = options;
  const { DROVER_TRUST_POLICY: trustMode } = settings;
  const { models, files, board, gate } = parts;
  const verifier = createVerifier({ models, files, metrics, log: app.log, onVerified: gate.refresh });
  const removal = createModelRemoval({ models, files, board, now });
  const shared = { ...parts, trustMode };
  app.addHook('onClose', () => verifier.close());
  const inCatalog = { catalog: createCatalog({ ...shared, verifier, removal }) };
  await app.register(catalogRoutes, inCatalog);
  await app.register(modelStateRoutes, inCatalog);
  await app.register(backupRoute, { backup });
  const fetched = { downloads: createDownloads({ ...shared, records, nodes }) };
  await app.register(downloadRoutes, fetched);
  await app.register(modelDownloadRoutes, fetched);
};
