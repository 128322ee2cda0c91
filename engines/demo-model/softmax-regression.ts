/**
 * Learns the output matrix: multinomial logistic regression by plain stochastic gradient descent, from zero, in a fixed
 * order, with arithmetic that is exact by IEEE 754. So every machine learns the same bits.
 */

/** One training row: the features that are one (all others are zero), and the wanted distribution. */
export interface TrainingRow {
  readonly features: readonly number[];
  /** The right class. */
  readonly target: number;
  /** Classes that may follow too, and how likely; the right class gets the rest. */
  readonly alternatives: ReadonlyMap<number, number>;
}

/** What to learn, and for how long. */
export interface Training {
  readonly featureCount: number;
  readonly classCount: number;
  readonly epochs: number;
  readonly learningRate: number;
  /** The rows of an epoch: they may differ a little from epoch to epoch. */
  rowsOf(epoch: number): readonly TrainingRow[];
}

/** Trains; the result holds the weight of feature f for class c at `f * classCount + c`. */
export function trainSoftmaxRegression(training: Training): Float64Array {
  const { featureCount, classCount, epochs, learningRate } = training;
  const weights = new Float64Array(featureCount * classCount);
  const gradient = new Float64Array(classCount);
  for (let epoch = 0; epoch < epochs; epoch++) {
    // Large steps find the shape, small ones settle it.
    const rate = learningRate * (1 - (0.9 * epoch) / epochs);
    for (const row of training.rowsOf(epoch)) {
      scoreClasses(weights, row.features, gradient);
      toGradient(gradient, row);
      for (const feature of row.features) {
        const base = feature * classCount;
        for (let c = 0; c < classCount; c++) weights[base + c]! -= rate * gradient[c]!;
      }
    }
  }
  return weights;
}

/** Fills `scores` with the score of each class. */
export function scoreClasses(weights: Float64Array, features: readonly number[], scores: Float64Array): void {
  const classCount = scores.length;
  scores.fill(0);
  for (const feature of features) {
    const base = feature * classCount;
    for (let c = 0; c < classCount; c++) scores[c]! += weights[base + c]!;
  }
}

/** Turns scores into "probability minus wanted probability", in place. */
function toGradient(scores: Float64Array, { target, alternatives }: TrainingRow): void {
  let highest = -Infinity;
  for (const score of scores) if (score > highest) highest = score;
  let sum = 0;
  for (let c = 0; c < scores.length; c++) sum += scores[c] = exponential(scores[c]! - highest);
  for (let c = 0; c < scores.length; c++) scores[c]! /= sum;
  let rest = 1;
  for (const [c, share] of alternatives) {
    scores[c]! -= share;
    rest -= share;
  }
  scores[target]! -= rest;
}

/** e^x for x <= 0 from multiplications and additions only: Math.exp may differ in its last bit between engines. */
export function exponential(x: number): number {
  if (x < -18) return 0; // below 2e-8: too little to teach anything
  const r = x / 128; // |r| < 0.15, where five terms are exact to 2e-8
  let value = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120)))));
  for (let i = 0; i < 7; i++) value *= value;
  return value;
}
