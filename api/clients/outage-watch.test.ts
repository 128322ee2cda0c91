import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createOutageWatch } from './outage-watch.js';

describe('the watch over an absent service', () => {
  it('says away from the first report until a probe succeeds', async () => {
    const answers = [false, false, true];
    let probes = 0;
    const back = new Promise<void>((resolve) => {
      const watch = createOutageWatch(() => {
        probes += 1;
        assert.equal(watch.away, true);
        const answer = answers.shift() ?? true;
        if (answer) setImmediate(() => (assert.equal(watch.away, false), resolve()));
        return Promise.resolve(answer);
      }, 1);
      assert.equal(watch.away, false);
      watch.report();
      watch.report();
    });
    const keepAlive = setTimeout(() => undefined, 5_000); // The watch itself keeps no process alive.
    await back;
    clearTimeout(keepAlive);
    assert.equal(probes, 3, 'two reports at once are one outage');
  });

  it('is over when it is closed', async () => {
    let probes = 0;
    const watch = createOutageWatch(() => Promise.resolve((probes += 1) < 0), 1);
    watch.report();
    watch.close();
    assert.equal(watch.away, false);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(probes, 1);
  });
});
