/**
 * How likely a run ends before its deadline, from how the pool's last runs went: their pace, and how much of what they might
 * have said they said (B-DP-127). And how good such forecasts have been.
 */

/** What an ended run teaches about the next one. */
export interface PastRun {
  msPerToken: number;
  /** Share of its `max_tokens` that it put out, 0 to 1. */
  shareOut: number;
}

/** A run whose end is asked for. */
export interface RunSoFar {
  remainingMs: number;
  tokensOut: number;
  maxTokens: number;
  /** What the client expects, where it says so. */
  expectedTokens?: number;
  /** Tokens of this run whose pace is known, and how long they took; none at its first token. */
  timed: { tokens: number; ms: number };
}

/** Runs that are remembered a pool; older ones tell of another load. */
const KEPT = 64;
/** What each run counts beside the next one: an engine is as fast as it was just now. */
const FADING = 0.9;
/** Before anything was measured: an engine of no particular pace, and a run that may say all that it may. */
const UNKNOWN: readonly PastRun[] = [20, 50, 125].map((msPerToken) => ({ msPerToken, shareOut: 1 }));
/** A run's own pace counts as much as all earlier ones when this many of its tokens were timed. */
const OWN_WEIGHT_TOKENS = 16;
/** Spread of what is left about its estimate, as a share of it: a pace is not kept to the millisecond. */
const SPREAD = 0.15;

/** The memory with one more run in it; one without tokens teaches nothing. */
export function remember(
  past: readonly PastRun[],
  run: { tokensOut: number; decodeMs: number; maxTokens: number },
): readonly PastRun[] {
  if (run.tokensOut === 0) return past;
  const newest = {
    msPerToken: Math.max(run.decodeMs, 1) / run.tokensOut,
    shareOut: Math.min(1, run.tokensOut / Math.max(run.maxTokens, 1)),
  };
  return [...past, newest].slice(-KEPT);
}

/** Probability, 0 to 1, that the run ends in time: of the earlier runs that got this far, the share that would. */
export function onTimeProbability(past: readonly PastRun[], run: RunSoFar): number {
  if (run.remainingMs <= 0) return 0;
  const known = past.length === 0 ? UNKNOWN : past;
  const lasting = known.filter(({ shareOut }) => tokensOf(shareOut, run) > run.tokensOut);
  // It has said more than any before it: it may go on to its limit.
  const alike = lasting.length > 0 ? lasting : known.map((one) => ({ ...one, shareOut: 1 }));
  let [sum, weights, weight] = [0, 0, 1];
  for (const one of alike.toReversed()) {
    sum += weight * chanceOf(one, run);
    weights += weight;
    weight *= FADING;
  }
  return sum / weights;
}

function tokensOf(shareOut: number, { expectedTokens, maxTokens }: RunSoFar): number {
  return Math.min(maxTokens, expectedTokens ?? shareOut * maxTokens);
}

/** The chance of a run that goes on as that one did: a logistic curve about the time that it would take. */
function chanceOf({ msPerToken, shareOut }: PastRun, run: RunSoFar): number {
  const { tokens, ms } = run.timed;
  const own = tokens / (tokens + OWN_WEIGHT_TOKENS);
  const pace = tokens === 0 ? msPerToken : own * (ms / tokens) + (1 - own) * msPerToken;
  const leftMs = Math.max(0, tokensOf(shareOut, run) - run.tokensOut) * pace;
  const distance = (run.remainingMs - leftMs) / (SPREAD * Math.max(leftMs, 1));
  return 1 / (1 + Math.exp(-Math.max(-40, Math.min(40, distance))));
}

/** Forecasts that the score looks back on. */
const SCORED = 200;

/** How good the forecasts of a pool were: their Brier score, the mean of the squared errors (0 is perfect, 0.25 knows nothing). */
export class Forecasts {
  private readonly errors: number[] = [];

  /** Takes a forecast whose run has ended. @returns the score of the last ones */
  judge(probability: number, inTime: boolean): number {
    this.errors.push((probability - (inTime ? 1 : 0)) ** 2);
    if (this.errors.length > SCORED) this.errors.shift();
    return this.errors.reduce((sum, error) => sum + error, 0) / this.errors.length;
  }
}

/** The tenth of the scale that a probability lies in, by its upper bound: `0.1` to `1.0`. */
export function tenthOf(probability: number): string {
  return (Math.min(10, Math.floor(probability * 10) + 1) / 10).toFixed(1);
}
