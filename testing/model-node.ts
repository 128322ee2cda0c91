/** A node that fetches models, for tests of those activities: a folder of its own and a server that the test behaves for. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import type { ModelDeps } from '../activities/deps.js';
import { fetchModelFileActivity, type FetchModelFileInput } from '../activities/model/fetch-model-file.js';
import { modelFolder } from '../activities/model/model-folder.js';
import { planModelActivity } from '../activities/model/plan-model.js';
import { publishModelActivity, type PublishModelInput } from '../activities/model/publish-model.js';
import type { FetchBeat, FetchedFile, ModelFile, ModelPlan, PresentModel } from '../contracts/download.js';
import { quietModelMetrics } from './quiet-metrics.js';
import { ModelServer } from './model-server.js';

/** Name of the model that tests fetch. */
export const MODEL = 'org--repo--m-00000000.bin';
/** Where the server has its file. */
export const MODEL_PATH = '/org/repo/resolve/main/m.bin';

/** An attempt that goes on. */
export interface Attempt {
  result: Promise<FetchedFile>;
  beats: FetchBeat[];
  cancel: (reason?: 'CANCELLED' | 'WORKER_SHUTDOWN') => void;
}

/** A node of a test. */
export interface ModelNode {
  server: ModelServer;
  models: ModelDeps;
  closing: AbortController;
  /** The file at {@link MODEL_PATH}. */
  file: (changes?: Partial<ModelFile>) => ModelFile;
  /** Where its bytes are gathered. */
  path: string;
  attempt: (file?: ModelFile) => Attempt;
  plan: (modelRef: string, digest?: string | null) => Promise<ModelPlan>;
  publish: (input: Partial<PublishModelInput>) => Promise<PresentModel>;
  cacheDir: string;
  provenanceFile: string;
}

/** Makes a node that is gone when the test ends. */
export async function modelNode(t: TestContext, changes: Partial<ModelDeps> = {}): Promise<ModelNode> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-models-'));
  const server = await ModelServer.start();
  t.after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const [cacheDir, provenanceFile] = [join(folder, 'cache'), join(folder, 'state', 'provenance.jsonl')];
  const models: ModelDeps = {
    folder: modelFolder({ cacheDir, provenanceFile, nodeId: 'node-1' }),
    metrics: quietModelMetrics,
    allowedSources: null,
    hfEndpoint: server.url,
    hfToken: undefined,
    s3: { endpoint: undefined, region: undefined },
    stallMs: 10_000,
    bytesPerSecond: null,
    ...changes,
  };
  const closing = new AbortController();
  const deps = { models, closing: closing.signal, now: Date.now, log: pino({ level: 'silent' }) };
  const [fetchFile, plan, publish] = [
    fetchModelFileActivity(deps),
    planModelActivity(deps),
    publishModelActivity(deps),
  ];
  const environment = () =>
    new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR', () => undefined) });
  const file: ModelNode['file'] = (over) => ({
    ...{ path: MODEL, from: { url: `${server.url}${MODEL_PATH}`, by: 'hf' as const } },
    ...{ size_bytes: null, sha256: null, ...over },
  });
  return {
    ...{ server, models, closing, file, cacheDir, provenanceFile },
    path: join(models.folder.gatheringOf(MODEL), MODEL),
    attempt(asked = file()) {
      const env = environment();
      const beats: FetchBeat[] = [];
      env.on('heartbeat', (beat: FetchBeat) => beats.push(beat));
      const result: Promise<FetchedFile> = env.run<[FetchModelFileInput], FetchedFile, typeof fetchFile>(
        fetchFile,
        {
          model_id: MODEL,
          file: asked,
        },
      );
      return { result, beats, cancel: (reason = 'CANCELLED') => env.cancel(reason) };
    },
    plan: (model_ref, digest = null) => {
      const input = { node_id: 'node-1', correlation_id: 'corr-1', model_id: MODEL, model_ref, digest };
      return environment().run(plan, input);
    },
    publish: (input) => {
      const whole: PublishModelInput = {
        ...{ model_id: MODEL, model_ref: 'hf:org/repo/m.bin', is_folder: false, files: [], digest: null },
        ...input,
      };
      return environment().run(publish, whole);
    },
  };
}
