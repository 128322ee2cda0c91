/**
 * The part of node-llama-cpp (3.21.1) that the engine uses, as types of our own: the package is installed apart from the
 * repository's own packages, and the sources must type-check without it.
 */

/** A token id. */
export type TokenId = number;

/** How a token was made. */
export interface TokenAttributes {
  readonly unknown: boolean;
  readonly control: boolean;
  readonly userDefined: boolean;
  readonly byte: boolean;
}

/** A compiled grammar; opaque to us. */
export type Grammar = Readonly<Record<string, unknown>>;
/** How far a generation has come in a grammar; opaque to us. */
export type GrammarState = Readonly<Record<string, unknown>>;

/** Penalties for words that were said already. */
export interface RepeatPenalty {
  readonly punishTokens: () => TokenId[];
  readonly maxPunishTokens: number;
  readonly penalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
}

/** Options of a generation; the defaults of the package differ from llama-server's, so all are given. */
export interface EvaluateOptions {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly seed: number;
  readonly yieldEogToken: true;
  readonly repeatPenalty?: RepeatPenalty;
  readonly grammarEvaluationState?: GrammarState;
}

/** One slot's share of the context. */
export interface LlamaSequence {
  readonly contextSize: number;
  readonly nextTokenIndex: number;
  compareContextTokens(tokens: TokenId[]): { firstDifferentIndex: number };
  adaptStateToTokens(tokens: TokenId[], allowShift: boolean): Promise<void>;
  evaluate(tokens: TokenId[], options: EvaluateOptions): AsyncGenerator<TokenId, void, void>;
  evaluateWithoutGeneratingNewTokens(tokens: TokenId[]): Promise<void>;
}

/** What the context hands to llama.cpp: not part of the package's interface, so the version is pinned. */
export interface NativeContext {
  decodeBatch(): Promise<void>;
  sampleToken(...args: readonly unknown[]): Promise<unknown>;
}

/** The context: memory for all slots. */
export interface LlamaContext {
  readonly _ctx: NativeContext;
  readonly contextSize: number;
  getSequence(): LlamaSequence;
}

/** A context that computes vectors, one at a time. */
export interface LlamaEmbeddingContext {
  /** Tokens of an input, those included that the model wants about it. The list is changed. */
  calculateInputLength(tokens: TokenId[]): number;
  /** The vector of the input's last token, or of all, as the model was made for. The list is changed. */
  getEmbeddingFor(tokens: TokenId[]): Promise<{ readonly vector: readonly number[] }>;
}

/** A loaded model. */
export interface LlamaModel {
  readonly tokens: {
    readonly bos: TokenId | null;
    readonly eos: TokenId | null;
    readonly bosString: string | null;
    readonly eosString: string | null;
    readonly shouldPrependBosToken: boolean;
  };
  readonly fileInfo: {
    readonly metadata: {
      readonly general?: { readonly name?: string };
      readonly tokenizer?: {
        readonly chat_template?: string;
        readonly ggml?: { readonly model?: string; readonly tokens?: readonly string[] };
      };
    };
  };
  readonly trainContextSize: number;
  readonly embeddingVectorSize: number;
  readonly size: number;
  readonly gpuLayers: number;
  tokenize(text: string, specialTokens: boolean): TokenId[];
  detokenize(tokens: TokenId[], specialTokens: boolean): string;
  isEogToken(token: TokenId): boolean;
  getTokenAttributes(token: TokenId): TokenAttributes;
  createContext(options: {
    contextSize: number;
    sequences: number;
    threads: number;
    createSignal: AbortSignal;
  }): Promise<LlamaContext>;
  createEmbeddingContext(options: {
    contextSize: number;
    batchSize: number;
    threads: number;
    createSignal: AbortSignal;
  }): Promise<LlamaEmbeddingContext>;
}

/** The header of a model's file: what concerns its architecture stands below that one's name. */
export interface GgufMetadata {
  readonly general?: { readonly architecture?: string };
  readonly [section: string]: unknown;
}

/** llama.cpp itself, with one backend. */
export interface Llama {
  /** The backend in use; false is the CPU. */
  readonly gpu: 'cuda' | 'vulkan' | 'metal' | false;
  /** Memory of the GPUs, of all who use them; nothing where there is none. */
  getVramState(): Promise<{ readonly used: number }>;
  loadModel(options: {
    modelPath: string;
    gpuLayers: number | 'auto';
    loadSignal: AbortSignal;
    onLoadProgress: (progress: number) => void;
  }): Promise<LlamaModel>;
  createGrammar(options: { grammar: string }): Promise<Grammar>;
  createGrammarForJsonSchema(schema: object): Promise<Grammar>;
  getGrammarFor(type: 'json'): Promise<Grammar>;
}

/** The package. */
export interface LlamaPackage {
  readGgufFileInfo(path: string): Promise<{ readonly metadata: GgufMetadata }>;
  getLlama(options: {
    gpu: 'auto' | false;
    build: 'never';
    skipDownload: true;
    progressLogs: false;
    maxThreads: number;
    logLevel: string;
    logger: (level: string, message: string) => void;
  }): Promise<Llama>;
  readonly LlamaGrammarEvaluationState: new (options: {
    model: LlamaModel;
    grammar: Grammar;
  }) => GrammarState;
}

/** The renderer of chat templates, `@huggingface/jinja`. */
export interface TemplatePackage {
  readonly Template: new (source: string) => { render(variables: Record<string, unknown>): string };
}
