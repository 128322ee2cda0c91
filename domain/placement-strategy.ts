/** Which of several pools that can all take a task gets it (B-PL-002, B-PL-004, C-176). */
import type { PlacementCandidate } from './placement.js';
import { isReady } from './pool.js';

/** By name, the default first. */
export const PLACEMENT_STRATEGIES = ['least-loaded', 'round-robin', 'random'] as const;

/** Name of a strategy. */
export type PlacementStrategy = (typeof PLACEMENT_STRATEGIES)[number];

/** The one that is taken, and which tie breakers had to speak. */
export interface Choice {
  candidate: PlacementCandidate;
  tieBreakers: string[];
}

/** Chooses among feasible pools, of which there is at least one. */
export type Chooser = (feasible: readonly PlacementCandidate[]) => Choice;

type TieBreaker = readonly [string, (a: PlacementCandidate, b: PlacementCandidate) => number];

const READY: TieBreaker = ['ready', (a, b) => Number(isReady(b.state)) - Number(isReady(a.state))];
const LEXICOGRAPHIC: TieBreaker = ['lexicographic', (a, b) => compareText(keyOf(a), keyOf(b))];
const BY_LOAD: readonly TieBreaker[] = [
  READY,
  ['most_free_slots', (a, b) => b.slotsFree - a.slotsFree],
  ['shortest_queue', (a, b) => a.queueDepth - b.queueDepth],
  LEXICOGRAPHIC,
];

/** The one with the most free slots; equal facts give the equal choice. */
export const leastLoaded: Chooser = (feasible) => {
  const { left, tieBreakers } = narrow(feasible, BY_LOAD);
  return { candidate: first(left), tieBreakers };
};

/**
 * The chooser of a strategy. None takes a pool that is not ready while another one is.
 * @param draw - from 0 up to 1, as `Math.random`
 */
export function chooserOf(strategy: PlacementStrategy, draw: () => number): Chooser {
  if (strategy === 'round-robin') return inTurn();
  if (strategy === 'random') {
    return (feasible) => {
      const { left, tieBreakers } = narrow(feasible, [READY]);
      const candidate = left[Math.floor(draw() * left.length)] ?? first(left);
      return { candidate, tieBreakers: left.length === 1 ? tieBreakers : [...tieBreakers, 'random'] };
    };
  }
  return leastLoaded;
}

/** Each after the one that was taken last, in the order of their names; who comes and goes changes nobody's place in it. */
function inTurn(): Chooser {
  let last = '';
  return (feasible) => {
    const { left, tieBreakers } = narrow(feasible, [READY]);
    const ordered = left.toSorted(LEXICOGRAPHIC[1]);
    const candidate = ordered.find((one) => compareText(keyOf(one), last) > 0) ?? first(ordered);
    last = keyOf(candidate);
    return { candidate, tieBreakers: left.length === 1 ? tieBreakers : [...tieBreakers, 'round_robin'] };
  };
}

/** What is left after every tie breaker in turn, and which of them had to speak. */
function narrow(candidates: readonly PlacementCandidate[], by: readonly TieBreaker[]) {
  const tieBreakers: string[] = [];
  let left = candidates;
  for (const [name, compare] of by) {
    if (left.length === 1) break;
    const winner = first(left.toSorted(compare));
    const kept = left.filter((candidate) => compare(candidate, winner) === 0);
    if (kept.length < left.length) tieBreakers.push(name);
    left = kept;
  }
  return { left, tieBreakers };
}

function first(candidates: readonly PlacementCandidate[]): PlacementCandidate {
  const [candidate] = candidates;
  if (candidate === undefined) throw new RangeError('there is nothing to choose from');
  return candidate;
}

function keyOf({ poolId, nodeId }: PlacementCandidate): string {
  return `${poolId}\0${nodeId}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
