/**
 * What every process of ours that speaks to Temporal shares: one runtime whose logs are our logs, a connection that is
 * there within seconds or stops the start with a line to act on, and the sealed data converter (design §2.6).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DataConverter, LogMetadata } from '@temporalio/common';
import { makeTelemetryFilterString, NativeConnection, Runtime, type LogLevel } from '@temporalio/worker';
import type { Settings } from '../contracts/settings.js';
import { missingSearchAttributes, registerCommand } from '../domain/search-attributes.js';
import { sealedDataConverter } from '../security/payload-codec.js';
import { parsePayloadKeys, type KeyRing } from '../security/payload-keys.js';
import type { Logger } from '../telemetry/logger.js';
import { StartError } from './run-process.js';

/** How long a process tries to reach Temporal at start: a server that starts beside us is up in a second. */
const CONNECT_LIMIT_MS = 5_000;
/** Between two tries: a refused connection fails at once. */
const CONNECT_PAUSE_MS = 250;
/** gRPC's status of a service that keeps its operator interface to itself, as Temporal Cloud does. */
const OPERATOR_SERVICE_REFUSED = [7, 12, 16];
/** False under a TypeScript loader: Temporal loads its files by name, so the name must be right in both. */
const BUILT = !import.meta.url.endsWith('.ts');

/**
 * Gives the SDK our logger and takes the signals from it: a process ends by `run-process` alone. Call it once, before
 * the first connection.
 */
export function installTemporalRuntime(log: Logger): void {
  const write = (level: LogLevel, message: string, meta: LogMetadata = {}): void => {
    const { error, taskToken: _, ...fields } = meta;
    const line = error === undefined ? fields : { ...fields, err: error as unknown }; // As our logger writes errors.
    if (level === 'TRACE') log.trace(line, message);
    else log[level.toLowerCase() as Lowercase<typeof level>](line, message);
  };
  Runtime.install({
    logger: {
      log: write,
      trace: (message, meta) => write('TRACE', message, meta),
      debug: (message, meta) => write('DEBUG', message, meta),
      info: (message, meta) => write('INFO', message, meta),
      warn: (message, meta) => write('WARN', message, meta),
      error: (message, meta) => write('ERROR', message, meta),
    },
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
    },
    shutdownSignals: [],
  });
}

/** Where Temporal is: the address that is set, else the server that `npm start` runs. */
export function temporalAddress(settings: Settings): string {
  return settings.TEMPORAL_ADDRESS ?? `127.0.0.1:${settings.DROVER_TEMPORAL_PORT}`;
}

/**
 * Connects to Temporal, trying again as long as the limit allows.
 * @param limitMs - default {@link CONNECT_LIMIT_MS}
 * @throws StartError saying where it was looked for and what to do
 */
export async function connectTemporal(
  settings: Settings,
  limitMs = CONNECT_LIMIT_MS,
): Promise<NativeConnection> {
  const address = temporalAddress(settings);
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      return await connectBefore(deadline, address);
    } catch (err) {
      if (Date.now() + CONNECT_PAUSE_MS >= deadline) throw unreachable(address, err);
      await delay(CONNECT_PAUSE_MS);
    }
  }
}

/** A server that accepts the connection and then says nothing must not hold the start. */
async function connectBefore(deadline: number, address: string): Promise<NativeConnection> {
  const connecting = NativeConnection.connect({ address });
  const giveUp = new AbortController();
  const late = delay(Math.max(1, deadline - Date.now()), undefined, { signal: giveUp.signal });
  try {
    const connection = await Promise.race([connecting, late]);
    if (connection !== undefined) return connection;
    connecting.then(
      (lateConnection) => lateConnection.close(),
      () => undefined, // It was given up already.
    );
    throw new Error('no answer');
  } finally {
    giveUp.abort();
    late.catch(() => undefined); // The timer's own abort.
  }
}

function unreachable(address: string, cause: unknown): StartError {
  const message =
    `Temporal does not answer at ${address}. ` +
    'Start it, or set TEMPORAL_ADDRESS to the host:port of its frontend.';
  return new StartError(message, { cause });
}

/**
 * Makes sure that the namespace knows every search attribute: without one, each workflow would be refused later.
 * Where the server keeps that list to itself, the check is left out.
 * @throws StartError with the command that registers what is missing, or when the namespace does not exist
 */
export async function requireSearchAttributes(
  connection: NativeConnection,
  namespace: string,
): Promise<void> {
  let registered: string[];
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    registered = Object.keys(customAttributes);
  } catch (err) {
    if (OPERATOR_SERVICE_REFUSED.includes(grpcCode(err))) return;
    throw new StartError(
      `Temporal's namespace "${namespace}" cannot be used. Create it, or set TEMPORAL_NAMESPACE.`,
      {
        cause: err,
      },
    );
  }
  const missing = missingSearchAttributes(registered);
  if (missing.length === 0) return;
  throw new StartError(
    `Temporal lacks search attributes of ours. Register them with:\n  ${registerCommand(namespace, missing)}`,
  );
}

function grpcCode(err: unknown): number {
  return err instanceof Error && 'code' in err && typeof err.code === 'number' ? err.code : -1;
}

/**
 * The keys that seal payloads.
 * @throws StartError when there are none, or they cannot be read; a key is never repeated in the message
 */
export function requirePayloadKeys(settings: Settings): KeyRing {
  const keys = settings.DROVER_PAYLOAD_KEYS;
  if (keys === undefined) {
    throw new StartError(
      'DROVER_PAYLOAD_KEYS is not set: every process of one installation shares it, as <id>:<base64 of 32 bytes>. ' +
        'Make one with: echo "k1:$(openssl rand -base64 32)"',
    );
  }
  try {
    return parsePayloadKeys(keys);
  } catch (err) {
    throw new StartError(`DROVER_PAYLOAD_KEYS: ${err instanceof Error ? err.message : String(err)}`, {
      cause: err,
    });
  }
}

/** The data converter of every client and worker: payloads and failures sealed with these keys. */
export function temporalDataConverter(ring: KeyRing): DataConverter {
  const converter = new URL(`../workflows/parts/failure-converter${BUILT ? '.js' : '.ts'}`, import.meta.url);
  return sealedDataConverter(ring, fileURLToPath(converter));
}

/** The workflow bundle that `npm run build` leaves in `dist/`. */
export function workflowBundlePath(): string {
  return fileURLToPath(
    new URL(BUILT ? '../workflow-bundle.js' : '../dist/workflow-bundle.js', import.meta.url),
  );
}
