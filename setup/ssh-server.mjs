/** OpenSSH's server for the tests of the registry of nodes, which start it on ports of their own: found, or installed from Debian's packages. */
import { existsSync } from 'node:fs';
import { installDebianPackage } from './debian.mjs';
import { onPath } from './programs.mjs';

/** Where it is where PATH does not lead to it, as for whoever is no administrator. */
const USUAL_PLACES = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/lib/ssh/sshd'];

function lookForSshd() {
  return onPath('sshd') ?? USUAL_PLACES.find((path) => existsSync(path));
}

/**
 * Finds or installs it, and with it the client.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] is told what takes long
 * @returns {Promise<string>} the program `sshd`, absolute
 * @throws Error that says what to install when there is none and we may not install it
 */
export async function prepareSshServer({ log = () => {} } = {}) {
  const found = lookForSshd();
  if (found !== undefined && onPath('ssh') !== undefined) return found;
  await installDebianPackage('openssh-server', 'sshd', log);
  const installed = lookForSshd();
  if (installed === undefined) throw new Error('apt-get installed openssh-server, but sshd is not there');
  return installed;
}
