import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readSettings } from '../contracts/settings.js';
import { startSecrets } from './start-secrets.js';

const LONG = 'a-key-that-is-long-enough';
const TOKEN = 'a-token-that-is-long-enough';
const WITH_TOKEN = { DROVER_NODE_TOKEN: TOKEN };

describe('secrets that the API starts with', () => {
  for (const [id, env] of [
    ['B-AUTH-001', { ...WITH_TOKEN, DROVER_API_KEYS: 'short' }],
    ['B-AUTH-001', { ...WITH_TOKEN, DROVER_API_KEYS: LONG, DROVER_API_HOST: '0.0.0.0' }],
  ] as const) {
    it(`${id}: ${JSON.stringify(env)} will do`, () => {
      assert.deepEqual(startSecrets(readSettings(env)), { nodeToken: TOKEN });
    });
  }

  for (const [id, env, problem] of [
    ['B-AUTH-002', WITH_TOKEN, /^DROVER_API_KEYS is not set/],
    ['B-AUTH-002', { ...WITH_TOKEN, DROVER_API_HOST: '0.0.0.0' }, /^DROVER_API_KEYS is not set/],
    [
      'B-AUTH-003',
      { ...WITH_TOKEN, DROVER_API_HOST: '0.0.0.0', DROVER_API_KEYS: 'tiny-key' },
      /^DROVER_API_KEYS has a key shorter than 16/,
    ],
    [
      'B-AUTH-003',
      { ...WITH_TOKEN, DROVER_API_HOST: '::', DROVER_API_KEYS: `${LONG},tiny-key` },
      /^DROVER_API_KEYS has a key shorter than 16/,
    ],
    ['C-118', { DROVER_API_KEYS: LONG }, /^DROVER_NODE_TOKEN is not set/],
    [
      'B-SECR-009',
      { ...WITH_TOKEN, DROVER_API_KEYS: `${LONG},${TOKEN}` },
      /^DROVER_API_KEYS and DROVER_NODE_TOKEN hold the same secret/,
    ],
    [
      'B-SECR-009',
      { ...WITH_TOKEN, DROVER_API_KEYS: LONG, DROVER_CODEC_SECRET: TOKEN },
      /^DROVER_NODE_TOKEN and DROVER_CODEC_SECRET hold the same secret/,
    ],
    [
      'B-SECR-009',
      { ...WITH_TOKEN, DROVER_API_KEYS: LONG, DROVER_CODEC_SECRET: LONG },
      /^DROVER_API_KEYS and DROVER_CODEC_SECRET hold the same secret/,
    ],
  ] as const) {
    it(`${id}: ${JSON.stringify(env)} stops the start, naming the setting and no key`, () => {
      const secrets = startSecrets(readSettings(env));
      assert.ok('problem' in secrets);
      assert.match(secrets.problem, problem);
      assert.doesNotMatch(secrets.problem, /tiny-key|long-enough/);
    });
  }
});
