/** Certificate and key, where the API is to speak TLS itself. */
import { createSecureContext } from 'node:tls';
import { SettingsError, type Settings } from '../contracts/settings.js';
import { readOwnFile } from './secret-files.js';
import { readFileSync } from 'node:fs';

/** A certificate (with its chain) and its key, PEM. */
export interface TlsFiles {
  cert: string;
  key: string;
}

/**
 * Reads what the settings name; undefined where they name nothing.
 * @throws SettingsError that names the file and what is wrong with it, never what it holds
 */
export function readTlsFiles(
  settings: Pick<Settings, 'DROVER_TLS_CERT' | 'DROVER_TLS_KEY'>,
): TlsFiles | undefined {
  const { DROVER_TLS_CERT: certFile, DROVER_TLS_KEY: keyFile } = settings;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    const [missing, given] =
      certFile === undefined ? ['DROVER_TLS_CERT', 'DROVER_TLS_KEY'] : ['DROVER_TLS_KEY', 'DROVER_TLS_CERT'];
    throw new SettingsError(`${missing} is not set, and ${given} is: TLS needs both`);
  }
  const cert = readCertificate(certFile);
  const key = readOwnFile('DROVER_TLS_KEY', keyFile);
  check({ cert }, `DROVER_TLS_CERT: the file ${certFile} holds no certificate in PEM`);
  check({ key }, `DROVER_TLS_KEY: the file ${keyFile} holds no unencrypted private key in PEM`);
  check({ cert, key }, `DROVER_TLS_KEY: the key in ${keyFile} is not that of the certificate in ${certFile}`);
  return { cert, key };
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (err) {
    const reason = (err as { code?: string }).code ?? 'unknown';
    throw new SettingsError(`DROVER_TLS_CERT: the file ${path} cannot be read (${reason})`);
  }
}

function check(part: Partial<TlsFiles>, problem: string): void {
  try {
    createSecureContext(part);
  } catch (err) {
    throw new SettingsError(problem, { cause: err });
  }
}
