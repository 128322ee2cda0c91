import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { findTarget } from './find-target.js';

describe('which API is spoken to, with which key', () => {
  let folder = '';
  let env: Record<string, string> = {};
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-cli-'));
    env = { XDG_CONFIG_HOME: join(folder, 'config'), DROVER_STATE_DIR: join(folder, 'state') };
    await mkdir(join(folder, 'config', 'drover'), { recursive: true });
    await mkdir(join(folder, 'state'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const configure = (text: string, mode = 0o600) =>
    writeFile(join(folder, 'config', 'drover', 'config.yaml'), text, { mode });
  const keepState = async () => {
    await writeFile(join(folder, 'state', 'api-key'), 'k-state\n');
    const urls = { api: 'http://127.0.0.1:18080', temporal: 'x', temporal_ui: null };
    await writeFile(join(folder, 'state', 'stack.json'), JSON.stringify({ urls }));
  };
  const found = (flags = {}) => {
    const { url, key } = findTarget(flags, env);
    return { url, key };
  };

  it('without anything it is where npm start listens, without a key', () => {
    assert.deepEqual(found(), { url: 'http://127.0.0.1:8080', key: undefined });
  });

  it('what npm start keeps in the state folder is enough', async () => {
    await keepState();
    assert.deepEqual(found(), { url: 'http://127.0.0.1:18080', key: 'k-state' });
  });

  it("the user's file stands above it, the environment above that, the command line above all", async () => {
    await keepState();
    await configure('url: http://file:1/\nkey: k-file\n');
    assert.deepEqual(found(), { url: 'http://file:1', key: 'k-file' });
    Object.assign(env, { DROVER_URL: 'http://env:2', DROVER_API_KEY: 'k-env' });
    assert.deepEqual(found(), { url: 'http://env:2', key: 'k-env' });
    const flags = { url: 'https://flag:3', key: 'k-flag' };
    assert.deepEqual(found(flags), flags);
  });

  it("B-CLI-009: one configuration file counts, and all of it: the named one, else the user's, else the system's", async () => {
    const [named, system] = [join(folder, 'named.yaml'), join(folder, 'system.yaml')];
    const at = () => {
      const { url, key } = findTarget({}, env, system);
      return [url, key];
    };
    const none = 'http://127.0.0.1:8080';
    assert.deepEqual(at(), [none, undefined]);
    await writeFile(system, 'url: http://system:1\nkey: k-system\n', { mode: 0o600 });
    assert.deepEqual(at(), ['http://system:1', 'k-system']);
    // The user's has no url: that of the system does not fill the gap.
    await configure('key: k-file\n');
    assert.deepEqual(at(), [none, 'k-file']);
    await writeFile(named, 'url: http://named:2\n');
    env['DROVER_CLI_CONFIG'] = named;
    assert.deepEqual(at(), ['http://named:2', undefined]);
    env['DROVER_CLI_CONFIG'] = join(folder, 'nowhere.yaml');
    assert.throws(at, { code: 'INVALID_CONFIG', message: /DROVER_CLI_CONFIG names, is not there/ });
  });

  it('a kept key is sent to its own address alone', async () => {
    await keepState();
    await configure('url: http://file:1\nkey: k-file\n');
    assert.equal(found({ url: 'http://elsewhere:9' }).key, undefined);
    assert.equal(found({ url: 'http://file:1' }).key, 'k-file');
    assert.equal(found({ url: 'http://127.0.0.1:18080' }).key, 'k-state');
  });

  it('a key that others may read is refused, and how to mend it is told', async () => {
    await configure('key: k-file\n');
    await chmod(join(folder, 'config', 'drover', 'config.yaml'), 0o644);
    assert.throws(found, ({ code, more }: never) => {
      assert.deepEqual(
        [code, /^chmod 600/.test((more as { suggestedAction: string }).suggestedAction)],
        ['INVALID_CONFIG', true],
      );
      return true;
    });
  });

  for (const text of ['key: [', 'keys: k-file', 'key: 7', '- k-file']) {
    it(`a file that says "${text}" is refused, and no value of it is repeated`, async () => {
      await configure(text);
      assert.throws(found, (err: Error & { code?: string }) => {
        assert.equal(err.code, 'INVALID_CONFIG');
        return !err.message.includes('k-file');
      });
    });
  }

  for (const url of ['localhost:8080', 'ftp://a', 'http://user@a', 'nonsense']) {
    it(`${url} is no address`, () => {
      assert.throws(() => found({ url }), { code: 'INVALID_ARGUMENT' });
    });
  }
});
