/** The inferences that a worker runs now, by the id of their job: how one of them is cancelled. */
import { WorkerError } from './worker-error.js';

/** Why an inference was ended before its own end. */
export type EndCause = 'CANCELLED' | 'TIMEOUT';

/** Thrown into a generation that is ended. */
export class InferenceEnded extends Error {
  override readonly name = 'InferenceEnded';

  constructor(readonly why: EndCause) {
    super(why);
  }
}

interface Running {
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

/** What runs; bounded by the slots, for nothing waits here. */
export class Inferences {
  readonly #running = new Map<string, Running>();

  /**
   * Runs an inference under its job's id.
   *
   * @param deadlineMs when it is ended at the latest, in ms since 1970
   * @throws WorkerError JOB_CONFLICT where a job of this id runs
   */
  async run(jobId: string, deadlineMs: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#running.has(jobId)) throw new WorkerError('JOB_CONFLICT', 'a job of this id runs already');
    const controller = new AbortController();
    let settle: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (settle = resolve));
    this.#running.set(jobId, { controller, ended });
    const late = (): void => controller.abort(new InferenceEnded('TIMEOUT'));
    const timer = setTimeout(late, Math.max(0, deadlineMs - Date.now()));
    try {
      await work(controller.signal);
    } finally {
      clearTimeout(timer);
      this.#running.delete(jobId);
      settle();
    }
  }

  /** Ends a job; resolves when its slot is free. One that does not run (any more) is ended already. */
  async cancel(jobId: string): Promise<void> {
    const running = this.#running.get(jobId);
    running?.controller.abort(new InferenceEnded('CANCELLED'));
    await running?.ended;
  }

  /** Resolves when none runs, or at `signal`. */
  async idle(signal: AbortSignal): Promise<void> {
    const all = Promise.all([...this.#running.values()].map(({ ended }) => ended));
    const given = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    await Promise.race([all, given]);
  }
}
