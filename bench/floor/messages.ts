/** What the bench and its floor process say to each other. */

/** Asked of the floor. */
export type FloorOrder =
  | { kind: 'run'; clients: number; firstTask: number; tasks: number }
  | { kind: 'drain'; namespace: string; taskIds: readonly string[] };

/** Answered by the floor, once an order. */
export type FloorAnswer =
  | { kind: 'ready' }
  | { kind: 'ran'; seconds: number; eager: number; wholeMs: readonly number[] }
  | { kind: 'drained' }
  | { kind: 'failed'; why: string };
