/**
 * Prepares a Temporal that others run for our processes: waits for it and registers the search attributes. `npm start`
 * does the same for its own; a cluster runs this once before the workers (see docker-compose.yml).
 *
 *     TEMPORAL_ADDRESS=temporal:7233 node dist/stack/prepare-temporal.js
 */
import { setTimeout as pause } from 'node:timers/promises';
import { readSettings } from '../contracts/settings.js';
import { registerSearchAttributes, temporalTrouble, type TemporalTarget } from './temporal-admin.js';

/** A server that comes up beside us needs about a minute for its schema. */
const LIMIT_MS = 120_000;
const TRY_AGAIN_MS = 1_000;

try {
  const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } = readSettings(process.env);
  if (address === undefined)
    throw new Error('TEMPORAL_ADDRESS is not set: the host:port of a Temporal frontend');
  await awaitTemporal({ address, namespace });
  await registerSearchAttributes({ address, namespace });
  process.stdout.write(`Temporal at ${address} knows our search attributes in namespace "${namespace}"\n`);
} catch (err) {
  process.stderr.write(`drover prepare-temporal: ${err instanceof Error ? err.message : String(err)}\n`);
  process.exitCode = 1;
}

async function awaitTemporal(target: TemporalTarget): Promise<void> {
  const giveUpAt = Date.now() + LIMIT_MS;
  for (;;) {
    const trouble = await temporalTrouble(target);
    if (trouble === undefined) return;
    if (Date.now() > giveUpAt) throw new Error(trouble);
    await pause(TRY_AGAIN_MS);
  }
}
