/**
 * Who follows a run. An API says when its last reader leaves; an API that dies says nothing, and a broken connection alone
 * is no reader leaving (C-103). The grace begins with that word, and ends when any relay follows the run again.
 */
export class Readers {
  private present = 0;
  private grace: NodeJS.Timeout | undefined;

  /** A relay begins to follow; the returned function, called once or more, says that it stopped. */
  enter(): () => void {
    this.present += 1;
    clearTimeout(this.grace);
    let gone = false;
    return () => {
      if (!gone) this.present -= 1;
      gone = true;
    };
  }

  /** Calls `then` when nobody follows the run for `graceMs` from now on. */
  afterSilence(graceMs: number, then: () => void): void {
    clearTimeout(this.grace);
    this.grace = setTimeout(() => {
      if (this.present === 0) then();
    }, graceMs).unref();
  }
}
