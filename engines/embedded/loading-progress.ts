/**
 * How far the model has come into memory, for whoever watches it: a frame for each layer, the last one says how it ended.
 * A watcher that comes late begins with how it stands.
 */

/** A frame of the stream. */
export type LoadingFrame =
  | {
      readonly stage: 'loading_to_vram';
      readonly layers_loaded: number;
      readonly layers_total: number;
      /** Memory of the GPU that the model has taken so far; 0 where the CPU runs it. */
      readonly vram_mb: number;
    }
  | { readonly stage: 'ready' }
  | { readonly stage: 'error'; readonly code: string; readonly message: string };

/** For so long after the end the last frame is still told; later nobody is loading. */
const JUST_ENDED_MS = 10_000;
const MIB = 1024 ** 2;

/** The progress of one engine. */
export class LoadingProgress {
  #frame: LoadingFrame | undefined;
  #endedAtMs: number | undefined;
  #layersTotal = 0;
  #vramBytes = 0;
  readonly #watchers = new Set<(frame: LoadingFrame) => void>();

  /** @param now - clock, in ms */
  constructor(private readonly now: () => number = Date.now) {}

  /** True until the model is loaded, or has failed to. */
  get isLoading(): boolean {
    return this.#endedAtMs === undefined;
  }

  /** True where there is something to follow: it loads, or has just ended. */
  get isTold(): boolean {
    return this.#endedAtMs === undefined || this.now() - this.#endedAtMs <= JUST_ENDED_MS;
  }

  /** The model's header has been read. */
  begin(layersTotal: number): void {
    this.#layersTotal = layersTotal;
    this.#tell(this.#loading(0));
  }

  /** @param share - of the model that is in memory, 0 to 1 */
  note(share: number): void {
    const layers = Math.min(this.#layersTotal, Math.floor(share * this.#layersTotal));
    const before = this.#frame?.stage === 'loading_to_vram' ? this.#frame.layers_loaded : 0;
    if (this.isLoading && layers > before) this.#tell(this.#loading(layers));
  }

  /** What was measured last; it stands in the frames from now on. */
  noteVram(bytes: number): void {
    this.#vramBytes = Math.max(this.#vramBytes, bytes);
  }

  /** The model is loaded. */
  finish(): void {
    this.note(1);
    this.#end({ stage: 'ready' });
  }

  /** It never will be. */
  fail(code: string, message: string): void {
    this.#end({ stage: 'error', code, message });
  }

  /** Frames from now on, until the last or until `signal` is aborted. */
  async *follow(signal: AbortSignal): AsyncGenerator<LoadingFrame, void, void> {
    const frames: LoadingFrame[] = this.#frame === undefined ? [] : [this.#frame];
    let wake: () => void = () => undefined;
    const watcher = (frame: LoadingFrame): void => {
      frames.push(frame);
      wake();
    };
    const onAbort = (): void => wake();
    this.#watchers.add(watcher);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const frame = frames.shift();
        if (frame === undefined) {
          await new Promise<void>((resolve) => (wake = resolve));
          continue;
        }
        yield frame;
        if (frame.stage !== 'loading_to_vram') return;
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #loading(layers: number): LoadingFrame {
    return {
      stage: 'loading_to_vram',
      layers_loaded: layers,
      layers_total: this.#layersTotal,
      vram_mb: Math.round(this.#vramBytes / MIB),
    };
  }

  #end(frame: LoadingFrame): void {
    if (this.#endedAtMs !== undefined) return;
    this.#endedAtMs = this.now();
    this.#tell(frame);
  }

  #tell(frame: LoadingFrame): void {
    this.#frame = frame;
    for (const watcher of this.#watchers) watcher(frame);
  }
}
