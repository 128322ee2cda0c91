import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readSettings } from '../contracts/settings.js';
import { parsePayloadKeys } from '../security/payload-keys.js';
import { readSecrets } from './secrets.js';

describe('the secrets of an installation', () => {
  let folder: string;
  let stateDir: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-secrets-'));
    stateDir = join(folder, 'state');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('are made once and stay the same', async () => {
    const first = await readSecrets(stateDir, readSettings({}));
    assert.deepEqual(await readSecrets(stateDir, readSettings({})), first);
    assert.match(first.apiKeys, /^dk-.{32}$/);
    assert.equal(parsePayloadKeys(first.payloadKeys).currentKeyId, first.payloadKeys.split(':')[0]);
  });

  it('are the same for two starts at once', async () => {
    const both = await Promise.all([1, 2].map(() => readSecrets(stateDir, readSettings({}))));
    assert.deepEqual(both[0], both[1]);
  });

  it('are for their owner alone, as is the state folder', async () => {
    await readSecrets(stateDir, readSettings({}));
    const names = await readdir(stateDir);
    assert.deepEqual(names.toSorted(), ['api-key', 'codec-secret', 'node-token', 'payload-keys']);
    const modes = await Promise.all(
      names.map(async (name) => (await stat(join(stateDir, name))).mode & 0o777),
    );
    assert.deepEqual(modes, [0o600, 0o600, 0o600, 0o600]);
    assert.equal((await stat(stateDir)).mode & 0o777, 0o700);
  });

  for (const mode of [0o640, 0o604, 0o660]) {
    it(`are refused when a file has mode ${mode.toString(8)}`, async () => {
      await readSecrets(stateDir, readSettings({}));
      await chmod(join(stateDir, 'node-token'), mode);
      await assert.rejects(readSecrets(stateDir, readSettings({})), {
        name: 'StackError',
        message: new RegExp(`node-token has mode ${mode.toString(8)}`),
      });
    });
  }

  it('B-CFG-008: have the token of the nodes under whichever of its names it was given', async () => {
    const secrets = await readSecrets(stateDir, readSettings({ AUTH_TOKEN: 'sixteen characters' }));
    assert.equal(secrets.nodeToken, 'sixteen characters');
    assert.equal((await readdir(stateDir)).includes('node-token'), false);
  });
  const damaged = [
    { name: 'api-key', content: '', message: /api-key is empty; remove it/ },
    { name: 'node-token', content: 'two\nlines', message: /node-token holds something else than one line/ },
    { name: 'codec-secret', content: '\0\xff', message: /codec-secret holds something else/ },
    { name: 'payload-keys', content: 'k1:aGFsZg==', message: /payload-keys cannot be used .*your copy/ },
  ];
  for (const { name, content, message } of damaged) {
    it(`stop the start in one line where ${name} holds ${JSON.stringify(content)}, and it is left as it is`, async () => {
      await readSecrets(stateDir, readSettings({}));
      await writeFile(join(stateDir, name), content);
      await assert.rejects(readSecrets(stateDir, readSettings({})), { name: 'StackError', message });
      assert.equal(await readFile(join(stateDir, name), 'utf8'), content);
    });
  }

  it('come from the settings where those name them, and are then not written', async () => {
    const settings = readSettings({ DROVER_API_KEYS: 'one, two', DROVER_NODE_TOKEN: 'sixteen characters' });
    const secrets = await readSecrets(stateDir, settings);
    assert.equal(secrets.apiKeys, 'one,two');
    assert.equal(secrets.nodeToken, 'sixteen characters');
    assert.deepEqual((await readdir(stateDir)).toSorted(), ['codec-secret', 'payload-keys']);
  });
});
