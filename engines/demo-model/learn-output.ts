/** Learns which word follows: from the two last tokens and the state to a row of the output matrix per token. */
import { CODE_WIDTH, codeOf } from './codes.js';
import type { CompiledCorpus, Example } from './compile-corpus.js';
import { TOKEN_TYPE } from './vocabulary.js';
import { scoreClasses, trainSoftmaxRegression, type TrainingRow } from './softmax-regression.js';

/** The learned read-out; the features are code places of the current token, of the previous one, states, and one. */
export interface LearnedOutput {
  /** Tokens that can be said; the class number is the index. */
  readonly classes: readonly number[];
  /** The weight of feature f for class c at `f * classes.length + c`. */
  readonly weights: Float64Array;
}

/** Where the features of each kind start. */
export const FEATURES = { current: 0, previous: CODE_WIDTH, state: 2 * CODE_WIDTH } as const;

/** Share of the wanted distribution for words that follow the current word elsewhere: sampling wanders, greedy does not. */
const WANDERING = 0.12;
/** Strides through the code indexes, coprime to one another, so that an epoch does not show one neighbour twice. */
const STRIDES = [31, 53, 89, 131] as const;
const EPOCHS = 80;
const LEARNING_RATE = 0.35;
/** Least distance, in nats, of the right word from the second best. Rounding to 16 bits moves scores by about 0.01. */
const LEAST_MARGIN = 0.5;

/** Learns, and throws when a step would not be said verbatim. */
export function learnOutput(corpus: CompiledCorpus, indexes: Uint16Array): LearnedOutput {
  const classes = [...new Set(corpus.examples.map(({ next }) => next))].sort((a, b) => a - b);
  const classOf = new Map(classes.map((token, index) => [token, index]));
  const alternatives = findAlternatives(corpus, classOf);
  const indexCount = Math.max(...indexes) + 1;
  const rows = corpus.examples.map((example): TrainingRow => ({
    features: featuresOf(corpus, indexes, example),
    target: classOf.get(example.next) ?? 0,
    alternatives: alternatives.get(example) ?? new Map(),
  }));
  const firstWords = corpus.examples.flatMap((example, i) => {
    const row = rows[i];
    return row !== undefined && corpus.twins.has(example.current) ? [{ example, row }] : [];
  });
  const weights = trainSoftmaxRegression({
    featureCount: FEATURES.state + corpus.stateCount + 1,
    classCount: classes.length,
    epochs: EPOCHS,
    learningRate: LEARNING_RATE,
    rowsOf: (epoch) => [
      ...rows,
      // Anything may stand before the first word of an answer: each epoch shows it behind a few other tokens.
      ...firstWords.flatMap(({ example, row }, i) =>
        STRIDES.map((stride) => {
          const stranger = (epoch * stride + i * 17) % indexCount;
          return { ...row, features: featuresOf(corpus, indexes, example, stranger) };
        }),
      ),
    ],
  });
  const learned = { classes, weights };
  for (const example of corpus.examples) {
    const previous = corpus.twins.has(example.current) ? [...Array(indexCount).keys()] : [undefined];
    for (const index of previous)
      refuseMistake(learned, corpus, example, featuresOf(corpus, indexes, example, index));
  }
  return learned;
}

function featuresOf(
  corpus: CompiledCorpus,
  indexes: Uint16Array,
  example: Example,
  previousIndex?: number,
): number[] {
  const previous = previousIndex ?? indexes[example.previous] ?? 0;
  return [
    ...codeOf(indexes[example.current] ?? 0).map((place) => FEATURES.current + place),
    ...codeOf(previous).map((place) => FEATURES.previous + place),
    FEATURES.state + example.state,
    FEATURES.state + corpus.stateCount,
  ];
}

function findAlternatives(
  { examples, vocabulary }: CompiledCorpus,
  classOf: ReadonlyMap<number, number>,
): Map<Example, Map<number, number>> {
  const followers = new Map<number, Set<number>>();
  for (const { current, next } of examples) {
    // Wandering from byte to byte would spell letters that do not exist.
    if (vocabulary.types[current] === TOKEN_TYPE.byte) continue;
    followers.set(current, (followers.get(current) ?? new Set()).add(classOf.get(next) ?? 0));
  }
  return new Map(
    examples.map((example) => {
      const others = [...(followers.get(example.current) ?? [])].filter(
        (c) => c !== classOf.get(example.next),
      );
      return [example, new Map(others.map((c) => [c, WANDERING / others.length]))];
    }),
  );
}

function refuseMistake(
  { classes, weights }: LearnedOutput,
  { vocabulary }: CompiledCorpus,
  { previous, current, next }: Example,
  features: readonly number[],
): void {
  const scores = new Float64Array(classes.length);
  scoreClasses(weights, features, scores);
  const right = scores[classes.indexOf(next)] ?? -Infinity;
  const best = scores.reduce(
    (top, score, c) => (classes[c] !== next && score > top ? score : top),
    -Infinity,
  );
  if (right - best >= LEAST_MARGIN) return;
  const words = [previous, current, next].map((token) => JSON.stringify(vocabulary.tokens[token]));
  throw new Error(
    `not learned: after ${words[0]} ${words[1]} comes ${words[2]} (margin ${(right - best).toFixed(2)})`,
  );
}
