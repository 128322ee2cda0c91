import assert from 'node:assert/strict';
import { isAbsolute } from 'node:path';
import { test } from 'node:test';
import { readSettings, SettingsError } from './settings.js';

const refusal = (env: Record<string, string>) => {
  try {
    readSettings(env);
  } catch (err) {
    assert.ok(err instanceof SettingsError);
    return err.message;
  }
  return assert.fail('the settings were taken');
};

test('without any setting the documented defaults hold', () => {
  const settings = readSettings({});
  assert.equal(settings.DROVER_API_PORT, 8080);
  assert.equal(settings.DROVER_API_HOST, '127.0.0.1');
  assert.equal(settings.DROVER_NODE_ADDR, '127.0.0.1:9200');
  assert.ok(isAbsolute(settings.DROVER_STATE_DIR) && settings.DROVER_STATE_DIR.endsWith('.runtime'));
  assert.equal(settings.DROVER_ADMISSION_CAPACITY, 16);
});

test('an empty value counts as unset', () => {
  assert.equal(readSettings({ DROVER_API_PORT: '' }).DROVER_API_PORT, 8080);
});

test('B-DP-069, B-OBS-052: every wrong setting is named at once, and no value is repeated', () => {
  const message = refusal({
    DROVER_ADMISSION_CAPACITY: '0',
    DROVER_API_PORT: 'eighty',
    DROVER_NODE_TOKEN: 'short-secret',
    DROVER_NODES: 'node-1',
  });
  for (const name of ['DROVER_ADMISSION_CAPACITY', 'DROVER_API_PORT', 'DROVER_NODE_TOKEN', 'DROVER_NODES']) {
    assert.match(message, new RegExp(`^${name}: `, 'm'));
  }
  assert.equal(message.includes('short-secret'), false);
});

test('lists are split and trimmed', () => {
  const settings = readSettings({
    DROVER_API_KEYS: ' a-key , another ,',
    DROVER_NODES: 'a=http://127.0.0.1:1/,b=https://gpu.example:2',
  });
  assert.deepEqual(settings.DROVER_API_KEYS, ['a-key', 'another']);
  assert.deepEqual(settings.DROVER_NODES, [
    { id: 'a', url: 'http://127.0.0.1:1' },
    { id: 'b', url: 'https://gpu.example:2' },
  ]);
});
