/**
 * The embedded engine: an HTTP server over llama.cpp that speaks llama-server's and OpenAI's routes.
 *
 *   node dist/engines/embedded/main.js --model PATH --port 0
 *
 * Progress is one JSON line an event on stdout (`listening`, `loading`, `ready`, `failed`), logs are on stderr.
 * Exit code 0 after SIGTERM or SIGINT, 1 when it could not start.
 */
import { performance } from 'node:perf_hooks';
import { readArguments, USAGE, type EngineArguments } from './arguments.js';
import { ignoreClosedOutput, log, report } from './events.js';
import { loadEngine } from './load-engine.js';
import { EngineServer } from './server.js';

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
  const server = new EngineServer();
  const loading = new AbortController();
  let stopping = false;
  // Not `once`: a package below re-raises the signal, and so kills the process, when it finds no other listener.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(0);
      stopping = true;
      loading.abort();
      void server.stop().finally(() => process.exit(0));
    });
  }
  const address = await server.listen(args.host, args.port);
  report({ event: 'listening', ...address });
  const startedAt = performance.now();
  const engine = await loadEngine(args, {
    signal: loading.signal,
    onProgress: reportProgress(),
    onLine: log,
  });
  server.serve(engine);
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

/** Reports every tenth of the way, not every tensor. */
function reportProgress(): (progress: number) => void {
  let next = 0;
  return (progress) => {
    if (progress < next) return;
    next = Math.floor(progress * 10 + 1) / 10;
    report({ event: 'loading', progress: Math.round(progress * 100) / 100 });
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

main().catch((error: unknown) => {
  report({ event: 'failed', message: messageOf(error) });
  log(`error: ${messageOf(error)}`);
  process.exit(1);
});
