/**
 * The guardian: a small process beside `npm start` that outlives it. Its standard input is a pipe from `npm start`; when
 * that closes without a farewell, `npm start` was killed, and the guardian ends all that the stack's record names.
 *
 *     node dist/stack/guardian.js <state folder>
 */
import { FAREWELL } from './guardian-pipe.js';
import { endStack } from './end-stack.js';
import { placesIn } from './places.js';
import { readStack, removeStack } from './stack-record.js';

const [stateDir] = process.argv.slice(2);
if (stateDir === undefined) throw new Error('usage: guardian.js <state folder>');
const places = placesIn(stateDir);

/** Ctrl-C in a terminal is for `npm start`, which says farewell in the end. */
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

let heard = '';
process.stdin
  .setEncoding('utf8')
  .on('data', (text: string) => (heard += text))
  .on('close', () => void leave());

async function leave(): Promise<void> {
  if (heard.includes(FAREWELL)) return;
  const record = await readStack(places.stackFile);
  if (record === undefined || record === 'unreadable' || record.guardian?.pid !== process.pid) return;
  const ended = await endStack(record.processes, {
    nodeDir: places.nodeDir,
    onForced: (name) => log({ event: 'killed', name }),
  });
  await removeStack(places.stackFile, record);
  log({ event: 'stack_ended', reason: 'npm start was killed', ended });
}

function log(fields: object): void {
  const line = { component: 'guardian', ts: new Date().toISOString(), level: 'warn', ...fields };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
