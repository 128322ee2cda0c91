/**
 * The client's circuit to one target, apart from those of engines (B-CB-004):
 *
 * ```
 * closed ──5 failures in a row──> open ──60 s──> half open: one probe ──it succeeds──> closed
 *                                  ^                                └──it fails──> open
 * ```
 */

/** Failures in a row that open it (B-CB-001). */
export const CIRCUIT_THRESHOLD = 5;
/** How long it stays open (B-CB-002). */
export const CIRCUIT_OPEN_MS = 60_000;

/** A circuit as it stands. */
export interface Circuit {
  failures: number;
  /** When it opened; null while it is closed. */
  openedAtMs: number | null;
  /** True while the one probe of a half-open circuit is under way. */
  probing: boolean;
}

/** A circuit without a past. */
export const CLOSED: Circuit = { failures: 0, openedAtMs: null, probing: false };

/** The circuit with one more call under way; undefined where no call is let through. */
export function withCall(circuit: Circuit, nowMs: number): Circuit | undefined {
  if (circuit.openedAtMs === null) return circuit;
  if (circuit.probing || nowMs - circuit.openedAtMs < CIRCUIT_OPEN_MS) return undefined;
  return { ...circuit, probing: true };
}

/** After a call that failed, all its attempts together: no answer came, or one that says that the server is ill. */
export function afterFailure(circuit: Circuit, nowMs: number): Circuit {
  const failures = circuit.failures + 1;
  const opens = circuit.probing || failures >= CIRCUIT_THRESHOLD;
  return { failures, openedAtMs: opens ? nowMs : circuit.openedAtMs, probing: false };
}

/** Milliseconds until a probe is let through. */
export function opensInMs(circuit: Circuit, nowMs: number): number {
  return circuit.openedAtMs === null ? 0 : Math.max(0, circuit.openedAtMs + CIRCUIT_OPEN_MS - nowMs);
}

/** The circuits of this process, one a target. */
export class Circuits {
  private readonly ofTarget = new Map<string, Circuit>();

  constructor(private readonly now: () => number) {}

  /** Notes a call to a target; false where its circuit is open. */
  begin(target: string): boolean {
    const next = withCall(this.of(target), this.now());
    if (next !== undefined) this.ofTarget.set(target, next);
    return next !== undefined;
  }

  /** Notes how a call ended. */
  end(target: string, ok: boolean): void {
    this.ofTarget.set(target, ok ? CLOSED : afterFailure(this.of(target), this.now()));
  }

  /** Of a call that was interrupted nothing is known; another may be the probe. */
  forget(target: string): void {
    this.ofTarget.set(target, { ...this.of(target), probing: false });
  }

  /** Milliseconds until a probe is let through. */
  waitMs(target: string): number {
    return opensInMs(this.of(target), this.now());
  }

  private of(target: string): Circuit {
    return this.ofTarget.get(target) ?? CLOSED;
  }
}
