/** Makes llama-cpp-python's server available to the tests: another server in OpenAI's words, with a dialect of its own. */
import { join, resolve } from 'node:path';
import { pythonEnvironment } from './python-environment.mjs';

const SOURCES = resolve(import.meta.dirname, '..', 'testing', 'llama-cpp-python');
/** Five minutes on two cores, some more on busy ones. */
const BUILD_TIMEOUT_MS = 1_800_000;
/** As little of llama.cpp as its server needs, for whatever processor runs it. */
const CMAKE_ARGS = '-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF';

/**
 * Builds the environment unless it is there; needs a C++ compiler.
 *
 * @param {object} [options]
 * @param {(line: string) => void} [options.log] is told that it takes long
 * @returns {Promise<string>} its Python, absolute; the server is its module `llama_cpp.server`
 */
export async function installLlamaCppPython({ log = () => {} } = {}) {
  const { python } = await pythonEnvironment({
    name: 'llama-cpp-python',
    requirements: join(SOURCES, 'requirements.txt'),
    pipArgs: ['--no-binary=llama-cpp-python'],
    env: { CMAKE_ARGS },
    timeoutMs: BUILD_TIMEOUT_MS,
    announce: (pinned) => `building llama-cpp-python ${pinned} (about five minutes)`,
    log,
  });
  return python;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  process.stdout.write(
    `${await installLlamaCppPython({ log: (line) => process.stderr.write(`${line}\n`) })}\n`,
  );
}
