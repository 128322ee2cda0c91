/**
 * The embedded engine: an HTTP server over llama.cpp that speaks llama-server's and OpenAI's routes, and a worker's.
 *
 *   node dist/engines/embedded/main.js --model PATH --port 0
 *
 * Progress is one JSON line an event on stdout (`listening`, `called_back`, `loading`, `ready`, `failed`), logs are on stderr.
 * Exit code 0 after SIGTERM or SIGINT, 1 when it could not start.
 */
import { performance } from 'node:perf_hooks';
import { readArguments, USAGE, type EngineArguments } from './arguments.js';
import { ignoreClosedOutput, log, report } from './events.js';
import { loadEngine } from './load-engine.js';
import { LoadingProgress } from './loading-progress.js';
import { sendReadyCallback } from './ready-callback.js';
import { EngineServer } from './server.js';
import { WorkerApi } from './worker-api.js';
import { takeWorkerKey } from './worker-key.js';

function parseOrExit(args: string[]): EngineArguments {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  try {
    return readArguments(args);
  } catch (error) {
    log(`error: ${messageOf(error)}\n${USAGE}`);
    process.exit(1);
  }
}

async function main(): Promise<void> {
  ignoreClosedOutput();
  const args = parseOrExit(process.argv.slice(2));
  const key = takeWorkerKey(process.env);
  const progress = new LoadingProgress();
  let url = '';
  const ending = new AbortController();
  const end = (): void => {
    if (ending.signal.aborted) process.exit(0);
    ending.abort();
    void server.stop().finally(() => process.exit(0));
  };
  const worker = new WorkerApi({
    ...{ progress, key, mostTokens: args.worker.mostTokens, url: () => url },
    // Without a key anybody could end it.
    shutDown: key === undefined ? undefined : end,
  });
  const server = new EngineServer(worker);
  // Not `once`: a package below re-raises the signal, and so kills the process, when it finds no other listener.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  const address = await server.listen(args.host, args.port);
  url = args.worker.url ?? address.url;
  report({ event: 'listening', ...address });
  void callBack(args, { url, key, signal: ending.signal });
  try {
    await load(args, { server, progress, signal: ending.signal });
  } catch (error) {
    if (ending.signal.aborted) return;
    progress.fail('INIT_CRASH', 'the model could not be loaded; the log of the engine says why');
    reportFailure(error);
    await server.stop();
    process.exit(1);
  }
}

/** Whoever is told that the model is ready finds it served. */
async function load(
  args: EngineArguments,
  { server, progress, signal }: { server: EngineServer; progress: LoadingProgress; signal: AbortSignal },
): Promise<void> {
  const startedAt = performance.now();
  const reporting = reportProgress(progress, signal);
  const engine = await loadEngine(args, { signal, progress, onLine: log });
  server.serve(engine);
  progress.finish();
  await reporting;
  report({
    event: 'ready',
    model: engine.name,
    backend: engine.backend,
    slots: engine.pool.slots.length,
    n_ctx: engine.slotContextSize,
    threads: args.threads,
    load_ms: Math.round(performance.now() - startedAt),
  });
}

/** Reports every tenth of the way, not every layer. */
async function reportProgress(progress: LoadingProgress, signal: AbortSignal): Promise<void> {
  let next = 0;
  for await (const frame of progress.follow(signal)) {
    if (frame.stage !== 'loading_to_vram') return;
    const share = frame.layers_loaded / frame.layers_total;
    if (share < next) continue;
    next = Math.floor(share * 10 + 1) / 10;
    report({ event: 'loading', progress: Math.round(share * 100) / 100 });
  }
}

/** Tells whoever started it that it is up; one that nobody hears goes on, for its health is looked at, too. */
async function callBack(
  { worker, alias, model }: EngineArguments,
  { url, key, signal }: { url: string; key: string | undefined; signal: AbortSignal },
): Promise<void> {
  if (worker.callbackUrl === undefined) return;
  const outcome = await sendReadyCallback(
    worker.callbackUrl,
    {
      ...{ worker_id: worker.id ?? new URL(url).host, url, device: worker.device },
      model_ref: worker.modelRef ?? alias ?? model,
      backend: worker.backend ?? 'cpu',
    },
    { key, signal },
  );
  report({ event: 'called_back', accepted: outcome.accepted, status: outcome.status ?? null });
  if (!outcome.accepted) log(`the ready callback was not accepted: ${outcome.status ?? 'nobody answered'}`);
}

function reportFailure(error: unknown): void {
  report({ event: 'failed', message: messageOf(error) });
  log(`error: ${messageOf(error)}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

main().catch((error: unknown) => {
  reportFailure(error);
  process.exit(1);
});
