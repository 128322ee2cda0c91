/** Structured logs: one JSON object a line on stdout, redacted by name and by what stands in running text (B-OBS-021, B-RED-001..005). */
import { fileURLToPath } from 'node:url';
import { pino, type DestinationStream, type LogFn, type Logger } from 'pino';
import { correlationFields } from './correlation.js';
import { packageVersion } from './package-version.js';
import { FINGERPRINT, REDACTED, redactSecrets } from './redact.js';

/** Logger of a process or a part of it. */
export type { Logger };

const SECRET_PATHS = [
  'authorization',
  '*.authorization',
  'api_key',
  '*.api_key',
  'token',
  '*.token',
  'prompt',
  '*.prompt',
  'messages',
  '*.messages',
];

/** Folder of this program, sources or build. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Lines that wait for a slow reader of our output; what is beyond is dropped, never the service (B-OBS-043). */
const MAX_WAITING_BYTES = 4 * 1_048_576;
/** A reader of our output that takes nothing for so long is given up, or the process could not even end. */
const BLOCKED_LIMIT_MS = 2_000;

let output: DestinationStream | undefined;

/** Standard output, written without waiting: a reader that stopped reading must not stop the process. */
function standardOutput(): DestinationStream {
  let blockedSinceMs: number | undefined;
  const stdout = pino.destination({
    fd: 1,
    sync: false,
    maxLength: MAX_WAITING_BYTES,
    retryEAGAIN: () => Date.now() - (blockedSinceMs ??= Date.now()) < BLOCKED_LIMIT_MS,
  });
  stdout.on('write', () => (blockedSinceMs = undefined));
  stdout.on('error', () => undefined); // Where would it be said?
  const flushSync = stdout.flushSync.bind(stdout);
  stdout.flushSync = () => {
    try {
      flushSync();
    } catch {
      // Nobody reads: the last lines are lost, and the process ends all the same.
    }
  };
  return stdout;
}

/**
 * A narrated event says who emitted it and when, unless it says so itself (B-NARR-005, B-NARR-006). A clock that is set back
 * does not make it the earlier one.
 */
function provenance(component: string) {
  const emitted_by = `drover-${component}@${packageVersion()}`;
  let latestMs = 0;
  return (fields: Record<string, unknown>): Record<string, unknown> => {
    if (typeof fields['human'] !== 'string') return fields;
    latestMs = Math.max(latestMs, Date.now());
    return { emitted_by, emitted_at_ms: latestMs, ...sourceOf(fields['err']), ...fields };
  };
}

/** Where an error that is narrated came from: file below our folder, and line; nothing for what others threw (B-NARR-002). */
function sourceOf(err: unknown): { source_location?: string } {
  const frame = err instanceof Error ? /^ +at .*$/m.exec(err.stack ?? '')?.[0] : undefined;
  const place = frame?.split(ROOT)[1]?.replace(/:\d+\)?$/, '');
  return place === undefined || place.startsWith('node_modules/') ? {} : { source_location: place };
}

/** A line that cannot be written is lost: nobody who logs or narrates shall fail by it (B-NARR-014). */
function neverFail(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  try {
    method.apply(this, args);
  } catch {
    // Where would it be said?
  }
}

/** A header is dumped with its fingerprint in its place already (B-RED-006). */
function leaveFingerprints(value: unknown): unknown {
  return typeof value === 'string' && FINGERPRINT.test(value) ? value : REDACTED;
}

/**
 * Makes a process' logger.
 * @param component - who speaks: `api`, `node`, `control`, `stack`
 * @param level - least level written, default `info`
 * @param destination - where lines go, default standard output
 */
export function createLogger(component: string, level = 'info', destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { component },
      messageKey: 'msg',
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: provenance(component) },
      mixin: correlationFields,
      redact: { paths: SECRET_PATHS, censor: leaveFingerprints },
      hooks: { streamWrite: (line) => redactSecrets(line), logMethod: neverFail },
    },
    destination ?? (output ??= standardOutput()),
  );
}
