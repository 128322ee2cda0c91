/**
 * Writes `docs/configuration.md`, the table of all settings, from the schema that reads them; `--check` compares instead.
 * Needs the build.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { writeWhole } from './digests.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const PAGE = join(ROOT, 'docs', 'configuration.md');
const HEAD = `<!-- Written by "node setup/write-configuration.mjs" from contracts/settings.ts: change it there. -->

# Configuration

Every setting is an environment variable, or stands by the same name in the file that \`DROVER_CONFIG\` names, for \`npm
start\` by default \`drover.yaml\` in the folder where it runs. The environment wins, and the log says so
(\`config_override\`); a name that is no setting is refused. Each is checked when a process starts: a wrong one ends it with
exit code 1 and a line that names the setting and what it should be. The file may hold the pools that shall serve, too:
[operations](operations.md#pools-in-a-file).

Older configurations' \`ORCHD_POOLS_CONFIG\`, \`ORCHD_ADMISSION_CAPACITY\`, \`ORCHD_SSE_HEARTBEAT_MS\`, and
\`ORCHD_LLAMACPP_URL\`, \`_POOL\` and \`_REPLICA\` are other names of the settings that end alike; the first is
\`DROVER_CONFIG\`, and \`LLORCH_WORKER_BINARY\` is \`DROVER_ENGINE_BINARY\`.

| setting | default | meaning |
|---|---|---|
`;

const page = await format(`${HEAD}${(await rows()).join('\n')}\n`, {
  ...(await resolveConfig(PAGE)),
  filepath: PAGE,
});
if (!process.argv.includes('--check')) {
  await writeWhole(PAGE, page);
} else if ((await readFile(PAGE, 'utf8').catch(() => '')) !== page) {
  process.stderr.write(
    'docs/configuration.md is not what the settings say: run "node setup/write-configuration.mjs"\n',
  );
  process.exitCode = 1;
}

async function rows() {
  const module = pathToFileURL(join(ROOT, 'dist', 'contracts', 'settings.js')).href;
  const { settingsSchema } = await import(module);
  const { properties } = z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' });
  return Object.entries(properties).map(([name, { description, default: byDefault, enum: choices }]) => {
    if (description === undefined) throw new Error(`${name} has no description`);
    const oneOf =
      choices === undefined ? '' : ` One of ${choices.map((choice) => `\`${choice}\``).join(', ')}.`;
    return `| \`${name}\` | ${shown(byDefault)} | ${`${description}${oneOf}`.replaceAll('|', '\\|')} |`;
  });
}

function shown(value) {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
    ? '–'
    : `\`${String(value)}\``;
}
