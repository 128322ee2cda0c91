/** Reporter of `node --test` that writes one JSON line: how many tests passed, and how many did not, skipped ones among them. */

/** The runner's own totals, as it says them at the end of a run. */
const TOTAL = /^(tests|pass|fail|cancelled|skipped|todo) (\d+)$/;

/** @param {AsyncIterable<{ type: string, data: { nesting: number, name?: string, file?: string, message?: string } }>} events */
export default async function* countReporter(events) {
  const totals = {};
  const empty = new Set();
  for await (const { type, data } of events) {
    const [, name, count] = (type === 'test:diagnostic' && TOTAL.exec(data.message)) || [];
    if (name !== undefined && data.nesting === 0) totals[name] = Number(count);
    // A file without a test is reported as one passed test of its own name.
    if (type === 'test:pass' && data.nesting === 0 && data.name === data.file) empty.add(data.file);
  }
  const passed = (totals.pass ?? 0) - empty.size;
  const failed = (totals.tests ?? 0) - passed;
  yield `${JSON.stringify({ passed, failed, empty: [...empty] })}\n`;
}
