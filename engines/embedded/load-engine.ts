/** Loads llama.cpp, the model and the context, and says what came of it. */
import { access, constants } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { EngineArguments } from './arguments.js';
import { countLayers } from './count-layers.js';
import { ChatTemplate } from './chat-template.js';
import { createEmbeddings, type Embeddings } from './embeddings.js';
import { Gate } from './gate.js';
import type { Grammar, GrammarState, Llama, LlamaModel } from './llama-types.js';
import type { LoadingProgress } from './loading-progress.js';
import { EngineMetrics } from './metrics.js';
import { orderLogits } from './ordered-logits.js';
import { loadPackages } from './packages.js';
import { createPieces, type Pieces } from './pieces.js';
import { PrefillPace } from './prefill-pace.js';
import { Slot, SlotPool } from './slots.js';
import { VramGauge } from './vram-gauge.js';

/** A loaded engine: what the routes work with. */
export interface Engine {
  readonly args: EngineArguments;
  /** Name in answers. */
  readonly name: string;
  readonly modelPath: string;
  readonly backend: string;
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly pieces: Pieces;
  readonly chatTemplate: ChatTemplate;
  readonly pool: SlotPool;
  readonly gate: Gate;
  readonly pace: PrefillPace;
  readonly metrics: EngineMetrics;
  /** What computes vectors; undefined where they were not asked for at the start. */
  readonly embeddings: Embeddings | undefined;
  /** Tokens of context of each slot. */
  readonly slotContextSize: number;
  /** When it was loaded, in ms since 1970. */
  readonly startedAt: number;
  /** Memory of the GPU that loading has taken; 0 where the CPU runs the model. */
  readonly vramBytes: number;
  newGrammarState(grammar: Grammar): GrammarState;
}

/** Context of a slot when none is asked for: enough for a conversation, small enough for any machine. */
const DEFAULT_SLOT_CONTEXT = 4096;
/** Lines of llama.cpp kept for the error message; the reason of a failure is only ever found there. */
const KEPT_LINES = 8;
/** llama.cpp's lines arrive asynchronously; at once, they were missing in one failure of three. */
const LAST_LINES_MS = 50;

/**
 * Loads everything.
 *
 * @param progress is told how far the model has come
 * @param onLine receives llama.cpp's own lines
 * @throws an error whose message says what went wrong, with llama.cpp's last lines
 */
export async function loadEngine(
  args: EngineArguments,
  {
    signal,
    progress,
    onLine,
  }: {
    signal: AbortSignal;
    progress: LoadingProgress;
    onLine: (line: string) => void;
  },
): Promise<Engine> {
  const modelPath = resolve(args.model);
  await access(modelPath, constants.R_OK).catch((cause: unknown) => {
    throw new Error(`the model ${modelPath} cannot be read`, { cause });
  });
  const lines: string[] = [];
  const logger = (level: string, message: string): void => {
    const line = `llama.cpp ${level}: ${message.trim()}`;
    lines.push(line);
    lines.splice(0, Math.max(0, lines.length - KEPT_LINES));
    onLine(line);
  };
  const packages = await loadPackages();
  try {
    const llama = await packages.llama.getLlama({
      gpu: args.gpuLayers === 0 || args.worker.backend === 'cpu' ? false : 'auto',
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads: args.threads,
      logLevel: 'warn',
      logger,
    });
    requireGpu(args, llama);
    const vram = await VramGauge.of(llama);
    progress.begin(await countLayers(packages.llama, modelPath));
    const gpuLayers = llama.gpu === false ? 0 : (args.gpuLayers ?? 'auto');
    const model = await llama.loadModel({
      modelPath,
      gpuLayers,
      loadSignal: signal,
      onLoadProgress: (share) => {
        progress.note(share);
        vram.look((bytes) => progress.noteVram(bytes));
      },
    });
    const { pool, slotContextSize } = await createSlots(args, model, signal);
    const pieces = createPieces(model);
    const { LlamaGrammarEvaluationState } = packages.llama;
    return {
      args,
      name: args.alias ?? basename(modelPath),
      modelPath,
      backend: llama.gpu === false ? 'cpu' : llama.gpu,
      llama,
      model,
      pieces,
      chatTemplate: new ChatTemplate(model, packages.template),
      pool,
      embeddings: args.embeddings
        ? await createEmbeddings(model, {
            threads: args.threads,
            slotContextSize,
            vocabulary: pieces.count,
            signal,
          })
        : undefined,
      gate: new Gate(),
      pace: new PrefillPace(),
      metrics: new EngineMetrics(),
      slotContextSize,
      startedAt: Date.now(),
      vramBytes: await vram.read(),
      newGrammarState: (grammar) => new LlamaGrammarEvaluationState({ model, grammar }),
    };
  } catch (cause) {
    await new Promise((done) => setTimeout(done, LAST_LINES_MS));
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error([message, ...lines].join('\n'), { cause });
  }
}

/** Nobody who asked for layers on the GPU gets a slow answer from the CPU instead. */
function requireGpu({ gpuLayers }: EngineArguments, llama: Llama): void {
  if (gpuLayers === undefined || gpuLayers === 0 || llama.gpu !== false) return;
  throw new Error(
    `--n-gpu-layers ${gpuLayers} needs a GPU, and no backend found one; --n-gpu-layers 0 uses the CPU`,
  );
}

async function createSlots(
  { contextSize, parallel, threads }: EngineArguments,
  model: LlamaModel,
  signal: AbortSignal,
): Promise<{ pool: SlotPool; slotContextSize: number }> {
  const asked = contextSize === 0 ? DEFAULT_SLOT_CONTEXT : Math.floor(contextSize / parallel);
  // Beyond its training context a model talks nonsense; llama-server caps a slot in the same way.
  const wanted = Math.min(asked, model.trainContextSize);
  if (wanted < 2) throw new Error(`--ctx-size ${contextSize} is too small for ${parallel} slots`);
  const context = await model.createContext({
    contextSize: wanted,
    sequences: parallel,
    threads,
    createSignal: signal,
  });
  orderLogits(context);
  const slotContextSize = Math.min(wanted, context.contextSize);
  const slots = Array.from(
    { length: parallel },
    (_, id) => new Slot(id, context.getSequence(), slotContextSize),
  );
  return { pool: new SlotPool(slots), slotContextSize };
}
