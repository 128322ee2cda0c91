import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SettingsError } from '../contracts/settings.js';
import { withSecretFiles } from './secret-files.js';

const folder = mkdtempSync(join(tmpdir(), 'drover-secrets-'));
after(() => {
  rmSync(folder, { recursive: true });
});

const SECRET = 'the-secret-of-these-tests';

function secretFile(name: string, text: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** What reading this file as the node token is refused with. */
function refusal(path: string): string {
  try {
    withSecretFiles({ DROVER_NODE_TOKEN_FILE: path });
  } catch (err) {
    assert.ok(err instanceof SettingsError);
    assert.equal(err.message.includes(SECRET), false, 'the message repeats the secret');
    return err.message;
  }
  return assert.fail('it was read');
}

describe('a secret in a file', () => {
  for (const mode of [0o600, 0o400]) {
    it(`B-SECR-001, B-AUTH-019: of the mode ${mode.toString(8)} is read, and told by its name alone`, () => {
      const path = secretFile(`ok-${mode}`, SECRET, mode);
      const { env, loaded } = withSecretFiles({ DROVER_NODE_TOKEN_FILE: path, HOME: '/root' });
      assert.deepEqual([env['DROVER_NODE_TOKEN'], env['HOME']], [SECRET, '/root']);
      assert.equal(env['DROVER_NODE_TOKEN_FILE'], undefined, 'a child process would read it again');
      assert.deepEqual(loaded, [{ setting: 'DROVER_NODE_TOKEN', path }]);
    });
  }

  for (const [id, mode] of [
    ['B-SECR-002', 0o644],
    ['B-SECR-002', 0o601],
    ['B-SECR-003', 0o640],
    ['B-SECR-003', 0o620],
  ] as const) {
    it(`${id}: of the mode ${mode.toString(8)} is refused with both modes`, () => {
      const path = secretFile(`open-${mode}`, SECRET, mode);
      const message = refusal(path);
      assert.ok(message.includes(path), message);
      assert.match(message, new RegExp(`mode 0${mode.toString(8)}, expected 0600`));
    });
  }

  it("B-SECR-004: is found in systemd's credential directory by the setting's name", () => {
    const credentials = join(folder, 'credentials');
    mkdirSync(credentials);
    secretFile('credentials/DROVER_API_KEYS', SECRET, 0o400);
    const { env } = withSecretFiles({ CREDENTIALS_DIRECTORY: credentials });
    assert.deepEqual([env['DROVER_API_KEYS'], env['DROVER_NODE_TOKEN']], [SECRET, undefined]);
    const own = withSecretFiles({ CREDENTIALS_DIRECTORY: credentials, DROVER_API_KEYS: 'set-by-hand' });
    assert.equal(own.env['DROVER_API_KEYS'], 'set-by-hand');
  });

  it('B-SECR-005: that is not there, or is a folder, is refused by its name', () => {
    const missing = join(folder, 'nowhere');
    assert.match(refusal(missing), /nowhere cannot be read \(ENOENT\)/);
    const aside = join(folder, 'a-folder');
    mkdirSync(aside, { mode: 0o700 });
    assert.match(refusal(aside), /a-folder cannot be read \(EISDIR\)/);
  });

  for (const [what, end] of [
    ['LF', '\n'],
    ['CRLF', '\r\n'],
  ] as const) {
    it(`B-SECR-006: loses its last ${what}, and nothing else`, () => {
      const path = secretFile(`end-${what}`, ` ${SECRET} ${end}`, 0o600);
      assert.equal(withSecretFiles({ DROVER_NODE_TOKEN_FILE: path }).env['DROVER_NODE_TOKEN'], ` ${SECRET} `);
    });
  }

  for (const [what, text, problem] of [
    ['is empty', '', /is empty/],
    ['is an empty line', '\n', /is empty/],
    ['is blank', ' \t \n', /is empty/],
    ['has two lines', `${SECRET}\nsecond\n`, /has more than one line/],
    ['has a second, empty line', `${SECRET}\n\n`, /has more than one line/],
  ] as const) {
    it(`B-SECR-007: that ${what} is refused`, () => {
      assert.match(refusal(secretFile('lines', text, 0o600)), problem);
    });
  }

  it('and in the environment too is refused: nobody could tell which one holds', () => {
    const path = secretFile('twice', SECRET, 0o600);
    assert.throws(
      () => withSecretFiles({ DROVER_NODE_TOKEN: 'x'.repeat(16), DROVER_NODE_TOKEN_FILE: path }),
      /DROVER_NODE_TOKEN and DROVER_NODE_TOKEN_FILE are both set/,
    );
  });
});
