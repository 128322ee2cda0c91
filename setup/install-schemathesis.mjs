/** Schemathesis in the cache: it asks the API all that its description allows, and some that it does not. */
import { join, resolve } from 'node:path';
import { pythonEnvironment } from './python-environment.mjs';

/**
 * Makes the environment unless it is there.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] receives a line when it takes long; default: silent
 * @returns {Promise<string>} its Python, absolute
 */
export async function installSchemathesis({ log = () => {} } = {}) {
  const { python } = await pythonEnvironment({
    name: 'schemathesis',
    requirements: join(resolve(import.meta.dirname, '..'), 'testing', 'schema', 'requirements.txt'),
    announce: (version) => `installing Schemathesis ${version} (about ten seconds)`,
    log,
  });
  return python;
}
