/** How this node fetches models, by its settings. */
import { join } from 'node:path';
import type { ModelDeps, ModelMetrics } from '../../activities/deps.js';
import { modelFolder } from '../../activities/model/model-folder.js';
import type { Settings } from '../../contracts/settings.js';

/** What the activities on models are given. */
export function modelDeps(settings: Settings, metrics: ModelMetrics): ModelDeps {
  return {
    metrics,
    folder: modelFolder({
      cacheDir: settings.DROVER_MODEL_CACHE_DIR,
      provenanceFile: join(settings.DROVER_STATE_DIR, 'models', 'provenance.jsonl'),
      nodeId: settings.DROVER_NODE_ID,
    }),
    allowedSources: settings.DROVER_MODEL_SOURCES ?? null,
    hfEndpoint: settings.HF_ENDPOINT,
    hfToken: settings.HF_TOKEN,
    s3: { endpoint: settings.AWS_ENDPOINT_URL_S3, region: settings.AWS_REGION },
    stallMs: settings.DROVER_MODEL_STALL_MS,
    bytesPerSecond: settings.DROVER_MODEL_BYTES_PER_SECOND ?? null,
  };
}
