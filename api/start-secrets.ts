/** What the API does not start without: keys that clients have, and the token that nodes know it by. */
import type { Settings } from '../contracts/settings.js';
import { isLoopback } from '../security/loopback.js';

/** A key that others on the network may try must be long (B-AUTH-003). */
const SHORTEST_PUBLIC_KEY = 16;

/** Checks the secrets: nobody could call without keys, and anybody could guess short ones (B-AUTH-002, C-118). */
export function startSecrets(settings: Settings): { nodeToken: string } | { problem: string } {
  const { DROVER_API_KEYS: keys, DROVER_API_HOST: host, DROVER_NODE_TOKEN: nodeToken } = settings;
  if (keys.length === 0) {
    const problem =
      'DROVER_API_KEYS is not set: every route needs a key. Make one with: openssl rand -hex 24';
    return { problem };
  }
  if (!isLoopback(host) && keys.some((key) => key.length < SHORTEST_PUBLIC_KEY)) {
    const problem =
      `DROVER_API_KEYS has a key shorter than ${SHORTEST_PUBLIC_KEY} characters, and DROVER_API_HOST (${host}) can be ` +
      'reached from other machines. Make a longer one with: openssl rand -hex 24';
    return { problem };
  }
  if (nodeToken === undefined) {
    return { problem: 'DROVER_NODE_TOKEN is not set: API and nodes share it, 16 characters or more.' };
  }
  const shared = sharedSecret(settings, nodeToken);
  return shared === undefined ? { nodeToken } : { problem: shared };
}

/** Whoever learns one secret must not have another with it (B-SECR-009). */
function sharedSecret(
  { DROVER_API_KEYS: keys, DROVER_CODEC_SECRET: codec }: Settings,
  nodeToken: string,
): string | undefined {
  const named = [
    ...keys.map((value) => ({ name: 'DROVER_API_KEYS', value })),
    { name: 'DROVER_NODE_TOKEN', value: nodeToken },
    ...(codec === undefined ? [] : [{ name: 'DROVER_CODEC_SECRET', value: codec }]),
  ];
  for (const [index, { name, value }] of named.entries()) {
    const other = named.find((one, at) => at > index && one.name !== name && one.value === value);
    if (other !== undefined) return `${name} and ${other.name} hold the same secret: each needs its own.`;
  }
  return undefined;
}
