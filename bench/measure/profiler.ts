/**
 * Preloaded into Drover's processes by `npm run bench -- --profile <folder>`: from one SIGALRM to the next a CPU profile
 * is taken, and written as `<program>-<pid>.cpuprofile`, which a browser's developer tools open.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { basename, dirname, join } from 'node:path';

/** Fine enough for tasks of some milliseconds; finer would cost more than is measured. */
const INTERVAL_MICROSECONDS = 500;

const folder = process.env['BENCH_PROFILE_DIR'];
const program = process.argv[1] ?? 'node';
let session: Session | undefined;

function begin(): void {
  session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROSECONDS });
  session.post('Profiler.start');
}

function end(running: Session, into: string): void {
  running.post('Profiler.stop', (err, { profile }) => {
    if (err !== null) throw err;
    const name = `${basename(dirname(program))}-${basename(program, '.js')}-${process.pid}.cpuprofile`;
    writeFileSync(join(into, name), JSON.stringify(profile));
  });
  running.disconnect();
  session = undefined;
}

if (folder !== undefined) {
  process.on('SIGALRM', () => {
    if (session === undefined) begin();
    else end(session, folder);
  });
}
