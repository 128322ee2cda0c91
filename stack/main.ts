/** `npm start`: runs Drover on this machine until Ctrl-C. */
import { PACKAGE_ROOT } from './places.js';
import { readConfiguration } from './configuration.js';
import { runStack } from './run-stack.js';
import { StackError } from './stack-error.js';
import { watchStarter } from './starter-watch.js';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
/** A terminal or a pipe that is gone must not keep the stack from ending well. */
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const stop = new AbortController();
const force = new AbortController();
/** npm passes a terminal's signal on, so it comes twice at once: what follows within this time is the same Ctrl-C. */
const SAME_SIGNAL_MS = 500;
let firstAt: number | undefined;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    firstAt ??= Date.now();
    if (stop.signal.aborted && Date.now() - firstAt > SAME_SIGNAL_MS) force.abort();
    stop.abort();
  });
}

try {
  await watchStarter(process.env, () => stop.abort());
  const configuration = readConfiguration(PACKAGE_ROOT, process.env);
  await runStack({ configuration, say, stop: stop.signal, force: force.signal });
} catch (err) {
  if (err instanceof StackError)
    for (const line of err.message.split('\n')) process.stderr.write(`drover: ${line}\n`);
  else if (!stop.signal.aborted)
    process.stderr.write(`drover: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}\n`);
  process.exitCode = stop.signal.aborted && !(err instanceof StackError) ? 0 : 1;
}
// What is left are the pipes of ended processes and the guardian's.
process.exit();
