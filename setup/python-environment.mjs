/** Python environments of pinned packages in the cache; Python itself is found, or installed from Debian's packages. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.mjs';
import { onPath, run } from './programs.mjs';

/** Some tens of megabytes; the rest is Python's own start. */
const INSTALL_TIMEOUT_MS = 300_000;

/**
 * Makes the environment unless it is there.
 *
 * @param {object} options
 * @param {string} options.name of the package that it is made for, and of its folder in the cache
 * @param {string} options.requirements file that pins it with all that it needs
 * @param {string[]} [options.pipArgs] further arguments of `pip install`
 * @param {Record<string, string>} [options.env] for what is built from its sources
 * @param {number} [options.timeoutMs] of `pip install`
 * @param {(version: string) => string} options.announce what is said when it is made
 * @param {(line: string) => void} options.log
 * @returns {Promise<{ python: string, version: string }>} `python` is absolute
 * @throws Error when there is no Python 3.10 or later with venv, or a package cannot be fetched
 */
export async function pythonEnvironment({
  name,
  requirements,
  pipArgs = [],
  env = {},
  timeoutMs = INSTALL_TIMEOUT_MS,
  announce,
  log,
}) {
  const pinned = new RegExp(`^${name}==(\\S+)`, 'm').exec(await readFile(requirements, 'utf8'));
  if (pinned === null) throw new Error(`${requirements} pins no ${name}`);
  const [, version] = pinned;
  const python = await cached(`${name}/${version}`, join('bin', 'python'), log, async (folder) => {
    log(announce(version));
    await makeEnvironment(folder, log);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--no-deps'];
    const wanted = ['--only-binary=:all:', ...pipArgs, '-r', requirements];
    // bin/python finds its packages from where it lies, so the environment may be moved when it is complete.
    await run(join(folder, 'bin', 'python'), [...pip, ...wanted], { env, timeoutMs });
  });
  return { python, version };
}

async function makeEnvironment(folder, log) {
  const make = () => run('python3', ['-m', 'venv', folder], { timeoutMs: INSTALL_TIMEOUT_MS });
  try {
    await make();
  } catch (error) {
    const apt = onPath('apt-get');
    if (apt === undefined || process.getuid?.() !== 0) {
      throw new Error('the tests need Python 3.10 or later with its module venv', { cause: error });
    }
    log('installing Python (apt-get, about a minute)');
    const options = { env: { DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs: INSTALL_TIMEOUT_MS };
    await run(apt, ['update', '--quiet'], options);
    await run(apt, ['install', '--quiet', '--yes', '--no-install-recommends', 'python3-venv'], options);
    await make();
  }
}
