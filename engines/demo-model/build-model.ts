/** Puts the model together: metadata, tokenizer, chat template and tensors, and writes them to a file. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { compileCorpus } from './compile-corpus.js';
import { type MetadataValue, writeGguf } from './gguf.js';
import { CONTROL_TOKENS, type Vocabulary } from './vocabulary.js';
import { buildTensors, CONTEXT_LENGTH, HEAD_WIDTH, NORM_EPSILON, ROPE_BASE, type Shape } from './weights.js';

/** How big the model gets; more layers cost time and memory and change no word. */
export interface ModelOptions {
  /** Layers of zeros after the one that does the work. Default 0. */
  readonly padLayers?: number;
  /** Width of the (zero) feed-forward part of every layer. Default 32, the smallest that llama.cpp handles well. */
  readonly feedForward?: number;
}

/** `<|role|>text<|end|>` per message; the roles are control tokens. */
export const CHAT_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/**
 * Writes the model to `path`, atomically: a reader sees no file, the old one, or the whole new one.
 *
 * @returns the size of the file in bytes
 */
export async function writeModel(path: string, options: ModelOptions = {}): Promise<number> {
  await mkdir(dirname(resolve(path)), { recursive: true });
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      const corpus = compileCorpus();
      const { padLayers = 0, feedForward = 32 } = options;
      const { shape, tensors } = buildTensors(corpus, { padLayers, feedForward });
      await writeGguf(file, describe(shape, corpus.vocabulary), tensors);
      await file.sync();
      const { size } = await file.stat();
      await rename(temporary, path);
      return size;
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The metadata: what llama.cpp needs, and what people see in a model's listing. */
export function describe(shape: Shape, vocabulary: Vocabulary): Map<string, MetadataValue> {
  const uint32 = (value: number): MetadataValue => ({ type: 'uint32', value });
  const string = (value: string): MetadataValue => ({ type: 'string', value });
  const id = (token: keyof typeof CONTROL_TOKENS): MetadataValue =>
    uint32(vocabulary.id(CONTROL_TOKENS[token]));
  return new Map<string, MetadataValue>([
    ['general.architecture', string('llama')],
    ['general.name', string('Drover demo model')],
    ['general.description', string('Recites a few short texts; made from its own source in two seconds')],
    ['general.license', string('apache-2.0')],
    ['general.file_type', uint32(1)],
    ['llama.context_length', uint32(CONTEXT_LENGTH)],
    ['llama.embedding_length', uint32(shape.embedding)],
    ['llama.block_count', uint32(1 + shape.padLayers)],
    ['llama.feed_forward_length', uint32(shape.feedForward)],
    ['llama.attention.head_count', uint32(shape.heads)],
    ['llama.attention.head_count_kv', uint32(shape.heads)],
    ['llama.attention.key_length', uint32(HEAD_WIDTH)],
    ['llama.attention.value_length', uint32(HEAD_WIDTH)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: NORM_EPSILON }],
    ['llama.rope.dimension_count', uint32(HEAD_WIDTH)],
    ['llama.rope.freq_base', { type: 'float32', value: ROPE_BASE }],
    ['llama.vocab_size', uint32(shape.vocabulary)],
    ['tokenizer.ggml.model', string('llama')],
    ['tokenizer.ggml.pre', string('default')],
    ['tokenizer.ggml.tokens', { type: 'strings', value: vocabulary.tokens }],
    ['tokenizer.ggml.scores', { type: 'float32s', value: vocabulary.scores }],
    ['tokenizer.ggml.token_type', { type: 'int32s', value: vocabulary.types }],
    ['tokenizer.ggml.bos_token_id', id('begin')],
    ['tokenizer.ggml.eos_token_id', id('end')],
    ['tokenizer.ggml.unknown_token_id', id('unknown')],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: true }],
    ['tokenizer.ggml.add_eos_token', { type: 'bool', value: false }],
    ['tokenizer.ggml.add_space_prefix', { type: 'bool', value: true }],
    ['tokenizer.chat_template', string(CHAT_TEMPLATE)],
  ]);
}
