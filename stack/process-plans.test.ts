import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings } from '../contracts/settings.js';
import { placesIn } from './places.js';
import { ownPlans, temporalPlan } from './process-plans.js';

const SECRETS = {
  apiKeys: 'the-key-of-operators',
  nodeToken: 'the-token-of-nodes',
  payloadKeys: 'the-payload-keys',
  codecSecret: 'the-secret-of-the-codec',
};
const HF_TOKEN = 'hf_of-the-node';
const ENGINE_KEYS = '127.0.0.1:8000=the-key-of-an-engine';
const DATABASE_URL = 'postgres://drover:its-password@db/drover';

/** Names of what a process' environment holds of the secrets. */
function secretsIn(env: Record<string, string> = {}): string[] {
  const known = [...Object.values(SECRETS), DATABASE_URL, '/etc/drover.yaml', HF_TOKEN, ENGINE_KEYS];
  return known.filter((secret) => Object.values(env).some((value) => value.includes(secret)));
}

test('B-SECR-009: each process gets the secrets that it needs, and no other that was set for all', () => {
  const env = {
    DROVER_API_KEYS: SECRETS.apiKeys,
    AUTH_TOKEN: SECRETS.nodeToken,
    DROVER_PAYLOAD_KEYS: SECRETS.payloadKeys,
    DROVER_CODEC_SECRET: SECRETS.codecSecret,
    DATABASE_URL,
    HF_TOKEN,
    DROVER_NODE_ENGINE_KEYS: ENGINE_KEYS,
    DROVER_CONFIG: '/etc/drover.yaml',
  };
  const urls = { api: 'http://127.0.0.1:1', temporal: '127.0.0.1:2', temporal_ui: 'http://127.0.0.1:3' };
  const temporalPorts = { port: 2, uiPort: 3 };
  const context = {
    configuration: { settings: readSettings(env), env, config: { file: undefined, overrides: [] } },
    places: placesIn('/nowhere'),
    secrets: SECRETS,
    addresses: { apiPort: 1, nodeAddress: '127.0.0.1:4', temporalPorts, urls },
    backend: 'cpu' as const,
  };
  const plans = [...ownPlans(context), temporalPlan(context, 'temporal')];
  const held: Record<string, string[]> = {};
  for (const plan of plans) held[plan?.name ?? ''] = secretsIn(plan?.env);
  const { apiKeys, nodeToken, payloadKeys, codecSecret } = SECRETS;
  assert.deepEqual(held, {
    api: [apiKeys, nodeToken, payloadKeys, codecSecret, DATABASE_URL, '/etc/drover.yaml'],
    control: [nodeToken, payloadKeys, DATABASE_URL],
    node: [nodeToken, payloadKeys, HF_TOKEN, ENGINE_KEYS],
    temporal: [],
  });
});

test('models of the catalogue are served on what the machine has, unless somebody has said otherwise', () => {
  const urls = { api: 'http://127.0.0.1:1', temporal: '127.0.0.1:2', temporal_ui: null };
  const backendOf = (env: Record<string, string>) => {
    const configuration = { settings: readSettings(env), env, config: { file: undefined, overrides: [] } };
    const addresses = { apiPort: 1, nodeAddress: '127.0.0.1:4', temporalPorts: undefined, urls };
    const context = { configuration, places: placesIn('/nowhere'), secrets: SECRETS, addresses };
    const plans = ownPlans({ ...context, backend: 'cuda' });
    return plans.map(({ name, env: given }) => [name, given['DROVER_MODELS_ON_DEMAND']]);
  };
  assert.deepEqual(backendOf({}), [
    ['node', undefined],
    ['control', undefined],
    ['api', 'cuda'],
  ]);
  assert.deepEqual(backendOf({ DROVER_MODELS_ON_DEMAND: 'off' }).at(-1), ['api', 'off']);
});
