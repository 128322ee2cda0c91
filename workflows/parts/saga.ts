/**
 * Undo for a story of several deeds. An undo is registered before its deed, because the deed may have happened though
 * its answer was lost; hence every undo must also be right when there is nothing to undo.
 */
import { CancellationScope, log } from '@temporalio/workflow';

/** What an undo is told. */
export interface Failure {
  /** Why the story ends: an error, or its cancellation. */
  cause: unknown;
  /** Undos that failed before this one, in words. */
  failedUndos: readonly string[];
}

/** Puts `undo` on top of those that are registered. */
export type RegisterUndo = (what: string, undo: (failure: Failure) => Promise<unknown>) => void;

/**
 * Tells the story. When it fails or is cancelled, every registered undo runs, the last first, shielded from the
 * cancellation; one that fails is logged and does not keep the others from running. Then the story's own error goes on.
 */
export async function withUndo<T>(story: (register: RegisterUndo) => Promise<T>): Promise<T> {
  const undos: { what: string; undo: (failure: Failure) => Promise<unknown> }[] = [];
  try {
    return await story((what, undo) => undos.unshift({ what, undo }));
  } catch (cause) {
    await CancellationScope.nonCancellable(async () => {
      const failedUndos: string[] = [];
      for (const { what, undo } of undos) {
        try {
          await undo({ cause, failedUndos });
        } catch (err) {
          failedUndos.push(what);
          log.error('undo failed', { undo: what, err });
        }
      }
    });
    throw cause;
  }
}
