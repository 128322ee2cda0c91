import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';
import { readConfiguration } from './configuration.js';

const read = (env: Record<string, string | undefined>) => readConfiguration(tmpdir(), env);

describe('the settings of npm start', () => {
  const wrong = [
    { title: 'a port that is none', env: { DROVER_API_PORT: 'http' }, message: /^DROVER_API_PORT: / },
    {
      title: 'an open address without keys',
      env: { DROVER_API_HOST: '0.0.0.0' },
      message: /DROVER_API_KEYS: must be set/,
    },
    {
      title: 'an open address with a short key',
      env: { DROVER_API_HOST: '0.0.0.0', DROVER_API_KEYS: 'short' },
      message: /16 characters/,
    },
    {
      title: 'payload keys that are none',
      env: { DROVER_PAYLOAD_KEYS: 'k1:abc' },
      message: /^DROVER_PAYLOAD_KEYS: /,
    },
    {
      title: 'an address without a port',
      env: { TEMPORAL_ADDRESS: 'localhost' },
      message: /TEMPORAL_ADDRESS: must be host:port/,
    },
  ];
  for (const { title, env, message } of wrong) {
    it(`are refused for ${title}`, () => {
      assert.throws(() => read(env), { name: 'StackError', message });
    });
  }

  it('are told all at once, a line each', () => {
    const lines = { DROVER_API_PORT: 'x', DROVER_TEMPORAL_PORT: 'y' };
    assert.throws(() => read(lines), { message: /DROVER_API_PORT: .+\nDROVER_TEMPORAL_PORT: / });
  });

  it('never repeat a key in a message', () => {
    assert.throws(
      () => read({ DROVER_PAYLOAD_KEYS: 'k1:c2VjcmV0' }),
      (err: Error) => !err.message.includes('c2VjcmV0'),
    );
  });
});
