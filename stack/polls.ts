/**
 * Says by its exit code whether a worker of this host polls a task queue: the health check of a worker that serves no
 * HTTP. Temporal tells who polls; a worker's identity ends in its host's name.
 *
 *     node dist/stack/polls.js control
 */
import { hostname } from 'node:os';
import { readSettings } from '../contracts/settings.js';
import { pollersOf } from './temporal-admin.js';

/** Temporal forgets a poller after five minutes; a poll comes back within one. */
const FRESH_MS = 90_000;

const [queue] = process.argv.slice(2);
const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } = readSettings(process.env);
if (queue === undefined || address === undefined) {
  process.stderr.write('usage: TEMPORAL_ADDRESS=host:port polls.js <task queue>\n');
  process.exit(2);
}
const pollers = await pollersOf({ address, namespace }, queue);
const ours = pollers.filter(({ identity }) => identity.endsWith(`@${hostname()}`));
process.exitCode = ours.some(({ lastAccessMs }) => Date.now() - lastAccessMs < FRESH_MS) ? 0 : 1;
