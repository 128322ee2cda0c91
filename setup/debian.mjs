/** Packages of Debian's that the tests need and a bare machine lacks. */
import { onPath, run } from './programs.mjs';

/** 60 MB with what it needs, for the largest. */
const INSTALL_TIMEOUT_MS = 300_000;
/** A package must not start a service of the machine's. */
const NO_SERVICE = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };

/**
 * Installs a package.
 *
 * @param {string} name the package
 * @param {string} program a program of it, which whoever may not install packages has to provide
 * @param {(line: string) => void} log is told what takes long
 * @throws Error that says what to install when we may not
 */
export async function installDebianPackage(name, program, log) {
  const apt = onPath('apt-get');
  if (apt === undefined || process.getuid?.() !== 0) {
    throw new Error(`the tests need "${program}" on PATH (Debian's package ${name})`);
  }
  log(`installing ${name} (apt-get, up to a minute)`);
  const options = { env: NO_SERVICE, timeoutMs: INSTALL_TIMEOUT_MS };
  await run(apt, ['update', '--quiet'], options);
  await run(apt, ['install', '--quiet', '--yes', '--no-install-recommends', name], options);
}
