/** What the engine tells whoever started it: one JSON object a line on stdout. Everything else goes to stderr. */

/** A step in the engine's life. */
export type EngineEvent =
  | { readonly event: 'listening'; readonly url: string; readonly host: string; readonly port: number }
  | { readonly event: 'loading'; readonly progress: number }
  | {
      readonly event: 'ready';
      readonly model: string;
      readonly backend: string;
      readonly slots: number;
      /** Tokens of context of each slot. */
      readonly n_ctx: number;
      readonly threads: number;
      readonly load_ms: number;
    }
  | { readonly event: 'called_back'; readonly accepted: boolean; readonly status: number | null }
  | { readonly event: 'failed'; readonly message: string };

/** Keeps the engine alive when whoever read its output is gone: it serves on, as a detached process should. */
export function ignoreClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/** Reports an event. */
export function report(event: EngineEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** Writes a line for people. */
export function log(line: string): void {
  process.stderr.write(`${line}\n`);
}
