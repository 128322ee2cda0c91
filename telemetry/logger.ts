/** Structured logs: one JSON object a line on stdout, redacted by name (B-OBS-021, B-RED-001..005). */
import { pino, type Logger } from 'pino';

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

/**
 * Makes a process' logger.
 * @param component - who speaks: `api`, `node`, `control`, `stack`
 * @param level - least level written, default `info`
 */
export function createLogger(component: string, level = 'info'): Logger {
  return pino({
    level,
    base: { component },
    messageKey: 'msg',
    timestamp: () => `,"ts":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_PATHS, censor: '[REDACTED]' },
  });
}
