/**
 * The frame of every Drover process: settings checked, a logger, one way to end. SIGTERM, SIGINT and, when `npm start`
 * owns the process, the end of its standard input close what `start` opened, in at most {@link CLOSE_LIMIT_MS}.
 */
import closeWithGrace from 'close-with-grace';
import { loggedConfig, withConfigFile, type Configured } from '../contracts/config-file.js';
import { readSettings, SettingsError, type Settings } from '../contracts/settings.js';
import { withSecretFiles } from '../security/secret-files.js';
import { createLogger, type Logger } from '../telemetry/logger.js';
import { story } from '../telemetry/narration.js';

/** Bound of a graceful end: the stop ladder of an engine (5 s), and what comes before and after it. */
const CLOSE_LIMIT_MS = 30_000;

/** A message that a person at the terminal can act on; printed without a stack (exit code 1). */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** What a process hands back once it is up. */
export interface RunningProcess {
  /** Closes everything, in order; called once. */
  close: () => Promise<void>;
  /** Takes up the secrets of settings that were read again. Throws for what it cannot go on with, and keeps the old ones. */
  reload?: (settings: Settings) => void;
  /** What SIGHUP does beside; with neither, that signal ends the process like the others. */
  hangUp?: () => void;
}

/**
 * Runs a process until it is told to end.
 * @param component - name in the logs
 * @param start - opens everything; rejects with {@link StartError} for what the operator must mend
 */
export async function runProcess(
  component: string,
  start: (settings: Settings, log: Logger) => Promise<RunningProcess>,
): Promise<void> {
  let log = createLogger(component);
  try {
    const readAtMs = Date.now();
    const config = withConfigFile(process.env);
    const duration_ms = Date.now() - readAtMs;
    const { env, loaded } = withSecretFiles(config.env);
    const settings = readSettings(env);
    log = createLogger(component, settings.DROVER_LOG_LEVEL);
    for (const secret of loaded) log.info({ event: 'secret_loaded', ...secret }, 'secret loaded');
    tellConfig(config, duration_ms, log);
    const running = await start(settings, log);
    // Without files there is nothing to read again, and the end of its terminal is the process' own.
    const hasFiles = loaded.length > 0 || settings.DROVER_TLS_CERT !== undefined;
    const { hangUp } = running;
    const rereads = (hasFiles && running.reload !== undefined) || hangUp !== undefined;
    const onHangUp = () => {
      if (hasFiles) readAgain(running, log);
      hangUp?.();
    };
    if (rereads) process.on('SIGHUP', onHangUp);
    const skip = rereads ? ['SIGHUP' as const] : [];
    const handle = closeWithGrace({ delay: CLOSE_LIMIT_MS, logger: false, skip }, async ({ signal, err }) => {
      if (err !== undefined) log.fatal({ err }, 'ending after an unexpected error');
      else log.info({ event: 'closing', signal }, 'closing');
      await running.close();
    });
    if (settings.DROVER_EXIT_WITH_PARENT) process.stdin.resume().once('end', () => handle.close());
  } catch (err) {
    if (err instanceof SettingsError || err instanceof StartError) {
      log.fatal({ event: 'startup_failed' }, err.message);
      process.stderr.write(`drover ${component}: ${err.message}\n`);
    } else {
      log.fatal({ err, event: 'startup_failed' }, 'could not start');
    }
    process.exit(1);
  }
}

/** A file that cannot be used changes nothing: the secrets from before hold (B-SECR-008). */
function readAgain(running: RunningProcess, log: Logger): void {
  try {
    const { env, loaded } = withSecretFiles(withConfigFile(process.env).env);
    running.reload?.(readSettings(env));
    const settings = loaded.map(({ setting }) => setting);
    log.info({ event: 'secrets_reloaded', settings }, 'secrets read again');
  } catch (err) {
    const problem = err instanceof SettingsError || err instanceof StartError ? err.message : String(err);
    log.error({ event: 'secrets_kept', problem }, 'secrets cannot be read again; those from before hold');
  }
}

/** What was read from where, and what the environment says otherwise (B-OBS-050, B-OBS-051). */
function tellConfig({ file, overrides }: Configured, duration_ms: number, log: Logger): void {
  if (file === undefined) return;
  const told = story(
    'drover',
    'config_load',
    'configuration',
    `Reads the configuration in ${duration_ms} ms`,
  );
  log.info({ event: 'config_load', ...told, ...loggedConfig(file), duration_ms }, 'configuration file read');
  for (const override of overrides)
    log.info({ event: 'config_override', ...override }, 'the environment overrides the configuration file');
}
