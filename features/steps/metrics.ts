/** What the processes have counted. */
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { parseMetrics, undeclared, type Series } from '../support/metrics-text.js';
import type { DroverWorld } from '../support/world.js';

Given('the counters are read', async function (this: DroverWorld) {
  await this.operator.meter.remember();
});

Then('{string} has risen by {int}', async function (this: DroverWorld, name: string, by: number) {
  assert.equal(await this.operator.meter.riseOf(name), by);
});

Then(
  '{string} has risen by {int} for:',
  async function (this: DroverWorld, name: string, by: number, table: DataTable) {
    assert.equal(await this.operator.meter.riseOf(name, this.filled(table)), by);
  },
);

Then(
  '"tokens_out_total" and "tokens_in_total" have risen by what the "end" of {string} says',
  async function (this: DroverWorld, name: string) {
    const { data } = await this.readers.of(name).waitForFrame('end');
    const rises = [
      await this.operator.meter.riseOf('tokens_out_total'),
      await this.operator.meter.riseOf('tokens_in_total'),
    ];
    assert.deepEqual(rises, [data['tokens_out'], data['tokens_in']]);
  },
);

Then(
  'each of these has risen in one process only: {names}',
  async function (this: DroverWorld, names: string[]) {
    for (const name of names) {
      const { api, node } = await this.operator.meter.risesOf(name);
      assert.deepEqual([name, [api, node].filter((rise) => rise > 0).length], [name, 1]);
    }
  },
);

Then('the answer is Prometheus text of the version 0.0.4', function (this: DroverWorld) {
  assert.match(this.http.lookAt().headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4(;|$)/);
  assert.ok(parseMetrics(this.http.lookAt().text).types.size > 0);
});

Then('each of these is announced with TYPE and HELP:', function (this: DroverWorld, table: DataTable) {
  const { types, helped } = parseMetrics(this.http.lookAt().text);
  for (const [type, names] of Object.entries(table.rowsHash())) {
    for (const name of names.split(' '))
      assert.deepEqual([name, types.get(name), helped.has(name)], [name, type, true]);
  }
});

Then('every series belongs to an announced metric', function (this: DroverWorld) {
  assert.deepEqual(undeclared(parseMetrics(this.http.lookAt().text)), []);
});

When('the metrics are read again and again with nothing in between', async function (this: DroverWorld) {
  for (let look = 0; look < 10; look += 1) this.operator.readings.push(await this.operator.meter.read());
});

Then('two readings in a row are the same', function (this: DroverWorld) {
  const seen = this.operator.readings.map(({ api, node }) => [api.series, node.series.filter(isDrovers)]);
  // A report or a poll may come between two of them; a scrape that leaves its mark comes between all.
  const same = seen.filter((reading, at) => at > 0 && isDeepStrictEqual(reading, seen[at - 1]));
  assert.notEqual(same.length, 0, JSON.stringify(seen.slice(-2)));
});

/** The memory of the machine is everybody's. */
function isDrovers({ name }: Series): boolean {
  return !name.startsWith('node_memory_');
}
