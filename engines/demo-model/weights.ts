/**
 * The network: one llama layer whose attention is computed by hand, and a learned output matrix.
 *
 * The residual stream holds, side by side: the code of this token, the code of the one before it, the state that this
 * token opens, the state found by attention, and a constant one.
 * - **Previous-token heads** copy the code of the token at distance one: query and key are the constant, turned by the
 *   rotary embedding so that the score peaks there by some 25 nats.
 * - **The state head** looks at the tokens that open a state only, and prefers the latest: its score falls with
 *   distance over the whole context.
 * Every token has the same number of ones, so the norms are undone by constant weights. The feed-forward part is zero.
 */
import { CODE_WIDTH, codeOf, indexTokens, ONES_PER_CODE } from './codes.js';
import type { CompiledCorpus } from './compile-corpus.js';
import type { Tensor } from './gguf.js';
import { toHalf } from './half-float.js';
import { FEATURES, learnOutput } from './learn-output.js';

/** Longest context; the state head's score falls strictly up to this distance. */
export const CONTEXT_LENGTH = 4096;
/** Base of the rotary embedding: gives the state head angles that stay below half a turn over the context. */
export const ROPE_BASE = 20_000;
/** Width of a head. */
export const HEAD_WIDTH = 64;
/** Guards against division by zero only; small beside the mean square of the stream (about 0.01). */
export const NORM_EPSILON = 1e-6;

/** Sizes of the network. */
export interface Shape {
  readonly embedding: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Zero layers added for their cost only. */
  readonly padLayers: number;
  /** Width of the feed-forward part. */
  readonly feedForward: number;
}

interface Layout {
  readonly current: number;
  readonly previous: number;
  readonly stateIn: number;
  readonly stateOut: number;
  readonly one: number;
}

/** Amplitude of query and key in the previous-token heads: 14² / 8 nats per pair of places. */
const PREVIOUS_AMPLITUDE = 14;
/** Amplitude in the state head: one token of distance is worth about two nats, more than 16-bit rounding of the keys. */
const STATE_AMPLITUDE = 155;
/** Pairs whose angle grows slowly enough to fall over the whole context, and the phase where they start to. */
const FALLING_PAIRS = [24, 25, 26, 27];
const FALLING_PHASE = 0.5;
/** Pairs that hardly turn: they lift any opening token above all tokens that open nothing. */
const LIFTING_PAIRS = [29, 30, 31];
/** The pair that lifts the first word of an answer above a keyword up to six tokens after it. */
const OPENER_PAIR = 28;
const OPENER_LIFT_NATS = 14;
/** Score of the answer's first word once a topic has been asked about: above anything learned (about ±15). */
const ASKED_SCORE = 60;
/** Score of what cannot be said: prefixes, unused bytes, roles; and what must not be said in some states. */
const NEVER_SCORE = -60;

/** Computes the tensors of the model. */
export function buildTensors(
  corpus: CompiledCorpus,
  { padLayers, feedForward }: { padLayers: number; feedForward: number },
): { shape: Shape; tensors: Tensor[] } {
  const states = corpus.stateCount;
  if (states > HEAD_WIDTH) throw new Error(`${states} states do not fit into a head of ${HEAD_WIDTH}`);
  const layout: Layout = {
    current: 0,
    previous: CODE_WIDTH,
    stateIn: 2 * CODE_WIDTH,
    stateOut: 2 * CODE_WIDTH + states,
    one: 2 * CODE_WIDTH + 2 * states,
  };
  const shape: Shape = {
    embedding: Math.ceil((layout.one + 1) / 32) * 32,
    heads: Math.ceil(CODE_WIDTH / HEAD_WIDTH) + 1,
    vocabulary: corpus.vocabulary.tokens.length,
    padLayers,
    feedForward,
  };
  const indexes = indexTokens(corpus);
  const tensors = [
    embeddings(corpus, indexes, layout, shape),
    ...attentionLayer(corpus, layout, shape),
    ...Array.from({ length: padLayers }, (_, i) => zeroLayer(i + 1, shape)).flat(),
    // Five things have been written by now: two codes, two states, and the one.
    normWeights('output_norm.weight', 2 * ONES_PER_CODE + 3, shape),
    outputMatrix(corpus, indexes, layout, shape),
  ];
  return { shape, tensors };
}

function embeddings({ stateOf }: CompiledCorpus, indexes: Uint16Array, layout: Layout, shape: Shape): Tensor {
  const matrix = new Matrix('token_embd.weight', shape.vocabulary, shape.embedding);
  indexes.forEach((index, token) => {
    for (const place of codeOf(index)) matrix.set(token, layout.current + place, 1);
    matrix.set(token, layout.stateIn + (stateOf.get(token) ?? 0), 1);
    matrix.set(token, layout.one, 1);
  });
  return matrix.tensor();
}

function attentionLayer(corpus: CompiledCorpus, layout: Layout, shape: Shape): Tensor[] {
  const width = shape.heads * HEAD_WIDTH;
  const query = new Matrix('blk.0.attn_q.weight', width, shape.embedding);
  const key = new Matrix('blk.0.attn_k.weight', width, shape.embedding);
  const value = new Matrix('blk.0.attn_v.weight', width, shape.embedding);
  const output = new Matrix('blk.0.attn_output.weight', shape.embedding, width);
  for (let head = 0; head < shape.heads - 1; head++) {
    const base = head * HEAD_WIDTH;
    for (let pair = 0; pair < HEAD_WIDTH / 2; pair++) {
      const angle = angleOf(pair);
      query.set(base + 2 * pair, layout.one, PREVIOUS_AMPLITUDE * Math.cos(angle));
      query.set(base + 2 * pair + 1, layout.one, -PREVIOUS_AMPLITUDE * Math.sin(angle));
      key.set(base + 2 * pair, layout.one, PREVIOUS_AMPLITUDE);
    }
    for (let place = base; place < Math.min(base + HEAD_WIDTH, CODE_WIDTH); place++) {
      value.set(place, layout.current + place, 1);
      output.set(layout.previous + place, place, 1);
    }
  }
  stateHead(corpus, layout, (shape.heads - 1) * HEAD_WIDTH, { query, key, value, output });
  return [
    normWeights('blk.0.attn_norm.weight', ONES_PER_CODE + 2, shape),
    ...[query, key, value, output].map((matrix) => matrix.tensor()),
    ...feedForward(0, shape),
  ];
}

function stateHead(
  { stateCount, stateOf, openers }: CompiledCorpus,
  layout: Layout,
  base: number,
  { query, key, value, output }: Record<'query' | 'key' | 'value' | 'output', Matrix>,
): void {
  for (const pair of [...FALLING_PAIRS, ...LIFTING_PAIRS, OPENER_PAIR]) {
    const phase = FALLING_PAIRS.includes(pair) ? FALLING_PHASE : 0;
    query.set(base + 2 * pair, layout.one, STATE_AMPLITUDE * Math.cos(phase));
    query.set(base + 2 * pair + 1, layout.one, STATE_AMPLITUDE * Math.sin(phase));
  }
  // Nothing found: every key is zero, attention is even, and all that is seen is state 0.
  for (let state = 1; state < stateCount; state++) {
    for (const pair of [...FALLING_PAIRS, ...LIFTING_PAIRS]) {
      key.set(base + 2 * pair, layout.stateIn + state, STATE_AMPLITUDE);
    }
  }
  for (const opener of openers) {
    const lift = (OPENER_LIFT_NATS * Math.sqrt(HEAD_WIDTH)) / STATE_AMPLITUDE;
    key.set(base + 2 * OPENER_PAIR, layout.stateIn + (stateOf.get(opener) ?? 0), lift);
  }
  for (let state = 0; state < stateCount; state++) {
    value.set(base + state, layout.stateIn + state, 1);
    output.set(layout.stateOut + state, base + state, 1);
  }
}

function angleOf(pair: number): number {
  return ROPE_BASE ** ((-2 * pair) / HEAD_WIDTH);
}

function outputMatrix(corpus: CompiledCorpus, indexes: Uint16Array, layout: Layout, shape: Shape): Tensor {
  const { classes, weights } = learnOutput(corpus, indexes);
  const matrix = new Matrix('output.weight', shape.vocabulary, shape.embedding);
  const said = new Set(classes);
  for (let token = 0; token < shape.vocabulary; token++) {
    if (!said.has(token)) matrix.set(token, layout.one, NEVER_SCORE);
  }
  const weight = (feature: number, c: number): number => weights[feature * classes.length + c] ?? 0;
  classes.forEach((token, c) => {
    for (let place = 0; place < CODE_WIDTH; place++) {
      matrix.set(token, layout.current + place, weight(FEATURES.current + place, c));
      matrix.set(token, layout.previous + place, weight(FEATURES.previous + place, c));
    }
    for (let state = 0; state < corpus.stateCount; state++) {
      matrix.set(token, layout.stateOut + state, weight(FEATURES.state + state, c));
    }
    matrix.set(token, layout.one, weight(FEATURES.state + corpus.stateCount, c));
  });
  forbidStraying(corpus, matrix, layout.stateOut);
  for (const [state, token] of corpus.firstTokenOf) matrix.set(token, layout.stateOut + state, ASKED_SCORE);
  return matrix.tensor();
}

/**
 * Sampling may wander from one answer into another, but not into the endless text, which it would never leave, and not
 * out of it: so each of the two never says the other's words. The end token is one of them.
 */
function forbidStraying(
  { examples, endlessStates, stateCount }: CompiledCorpus,
  matrix: Matrix,
  stateOut: number,
): void {
  const said = { endless: new Set<number>(), ending: new Set<number>() };
  for (const { state, next } of examples) said[endlessStates.has(state) ? 'endless' : 'ending'].add(next);
  for (let state = 0; state < stateCount; state++) {
    const [own, others] = endlessStates.has(state)
      ? [said.endless, said.ending]
      : [said.ending, said.endless];
    for (const token of others) if (!own.has(token)) matrix.set(token, stateOut + state, NEVER_SCORE);
  }
}

function zeroLayer(layer: number, shape: Shape): Tensor[] {
  const width = shape.heads * HEAD_WIDTH;
  const zeros = (name: string, rows: number, columns: number): Tensor =>
    new Matrix(`blk.${layer}.${name}.weight`, rows, columns).tensor();
  return [
    normWeights(`blk.${layer}.attn_norm.weight`, shape.embedding, shape),
    ...['attn_q', 'attn_k', 'attn_v'].map((name) => zeros(name, width, shape.embedding)),
    zeros('attn_output', shape.embedding, width),
    ...feedForward(layer, shape),
  ];
}

function feedForward(layer: number, shape: Shape): Tensor[] {
  return [
    normWeights(`blk.${layer}.ffn_norm.weight`, shape.embedding, shape),
    new Matrix(`blk.${layer}.ffn_gate.weight`, shape.feedForward, shape.embedding).tensor(),
    new Matrix(`blk.${layer}.ffn_up.weight`, shape.feedForward, shape.embedding).tensor(),
    new Matrix(`blk.${layer}.ffn_down.weight`, shape.embedding, shape.feedForward).tensor(),
  ];
}

/** Norm weights that undo the norm of a stream with this many ones. */
function normWeights(name: string, ones: number, { embedding }: Shape): Tensor {
  const weights = new Float32Array(embedding).fill(Math.sqrt(ones / embedding + NORM_EPSILON));
  return { name, shape: [embedding], type: 'f32', data: () => new Uint8Array(weights.buffer) };
}

/** A matrix of 16-bit numbers; only what is set takes memory until it is written. */
class Matrix {
  readonly #cells = new Map<number, number>();

  constructor(
    readonly name: string,
    readonly rows: number,
    readonly columns: number,
  ) {}

  set(row: number, column: number, value: number): void {
    this.#cells.set(row * this.columns + column, toHalf(value));
  }

  tensor(): Tensor {
    return { name: this.name, shape: [this.columns, this.rows], type: 'f16', data: () => this.#encode() };
  }

  #encode(): Uint8Array {
    const bytes = Buffer.alloc(this.rows * this.columns * 2);
    for (const [cell, bits] of this.#cells) bytes.writeUInt16LE(bits, cell * 2);
    return bytes;
  }
}
