/**
 * Where sessions were served last, so that their next turns go to the engine that has their context in memory (B-PL-016).
 * A hint: an API that has just started has none, and whoever is placed elsewhere pays with a prompt that is read again.
 */
import type { PlacementCandidate } from '../../domain/placement.js';
import type { Chooser } from '../../domain/placement-strategy.js';
import { isReady } from '../../domain/pool.js';

/** Sessions that are remembered; the one that was used longest ago is forgotten first. */
const REMEMBERED = 10_000;

/** What became of a session's hint. */
export type HomeUse = 'none' | 'kept' | 'left';

/** The memory of an API. */
export class SessionHomes {
  private readonly homes = new Map<string, string>();

  /** Takes the session's home while that is ready and has a free slot, else whatever `choose` takes. */
  chooserFor(session: string, choose: Chooser): Chooser {
    const home = this.homes.get(session);
    if (home === undefined) return choose;
    return (feasible) => {
      const candidate = feasible.find((one) => keyOf(one) === home);
      if (candidate === undefined || !isReady(candidate.state) || candidate.slotsFree < 1)
        return choose(feasible);
      return { candidate, tieBreakers: feasible.length === 1 ? [] : ['session_affinity'] };
    };
  }

  /** Whether the session was served last by another than this. */
  isElsewhere(session: string, candidate: PlacementCandidate): boolean {
    const home = this.homes.get(session);
    return home !== undefined && home !== keyOf(candidate);
  }

  /** The session was placed there. @returns whether that is where it was before */
  placed(session: string, candidate: PlacementCandidate): HomeUse {
    const [before, now] = [this.homes.get(session), keyOf(candidate)];
    this.homes.delete(session);
    this.homes.set(session, now);
    if (this.homes.size > REMEMBERED) {
      const [oldest] = this.homes.keys();
      this.homes.delete(oldest ?? '');
    }
    if (before === undefined) return 'none';
    return before === now ? 'kept' : 'left';
  }
}

function keyOf({ poolId, nodeId }: PlacementCandidate): string {
  return `${nodeId}\0${poolId}`;
}
