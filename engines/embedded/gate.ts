/**
 * Lets one task change a sequence's memory while others generate.
 *
 * node-llama-cpp decodes in a loop that holds the context's lock for as long as any sequence has a token to decode, so
 * a change to one sequence would wait until all other generations END (seconds). Therefore every generation
 * passes this gate between tokens: while it is closed they pause, the loop runs dry, and the change gets the lock.
 */
export class Gate {
  #closers = 0;
  #opening: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;

  /** Waits while the gate is closed; undefined, without a detour through the event loop, when it is open. */
  pass(): Promise<void> | undefined {
    return this.#closers === 0 ? undefined : this.#opening;
  }

  /** Runs a task with the gate closed. Several tasks may keep it closed at a time. */
  async closedDuring(task: () => Promise<void>): Promise<void> {
    if (this.#closers === 0) {
      this.#opening = new Promise((resolve) => {
        this.#open = resolve;
      });
    }
    this.#closers++;
    try {
      await task();
    } finally {
      this.#closers--;
      if (this.#closers === 0) this.#open();
    }
  }
}
