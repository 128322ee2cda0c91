import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { selfSignedFiles } from '../testing/self-signed.js';
import { readTlsFiles } from './tls-files.js';

const folder = mkdtempSync(join(tmpdir(), 'drover-tls-'));
after(() => rmSync(folder, { recursive: true }));

const { certFile, keyFile } = selfSignedFiles(folder);
const read = (cert?: string, key?: string) => readTlsFiles({ DROVER_TLS_CERT: cert, DROVER_TLS_KEY: key });

describe('certificate and key', () => {
  it('are read where both are named, and not asked for where none is', () => {
    assert.match(read(certFile, keyFile)?.cert ?? '', /^-----BEGIN CERTIFICATE/);
    assert.equal(read(), undefined);
  });

  const other = selfSignedFiles(folder, 'other');
  const text = join(folder, 'text');
  writeFileSync(text, 'no PEM', { mode: 0o600 });
  const open = selfSignedFiles(folder, 'open');
  chmodSync(open.keyFile, 0o644);
  for (const [what, cert, key, problem] of [
    ['a key is not named', certFile, undefined, /^DROVER_TLS_KEY is not set, and DROVER_TLS_CERT is/],
    ['a certificate is not named', undefined, keyFile, /^DROVER_TLS_CERT is not set/],
    [
      'the certificate is missing',
      `${certFile}.gone`,
      keyFile,
      /^DROVER_TLS_CERT: .*\.gone cannot be read \(ENOENT\)/,
    ],
    [
      'the key is missing',
      certFile,
      `${keyFile}.gone`,
      /^DROVER_TLS_KEY: .*\.gone cannot be read \(ENOENT\)/,
    ],
    [
      'the key is for others to read',
      open.certFile,
      open.keyFile,
      /^DROVER_TLS_KEY: .*mode 0644, expected 0600/,
    ],
    ['the certificate is none', text, keyFile, /^DROVER_TLS_CERT: .* holds no certificate in PEM/],
    ['the key is none', certFile, text, /^DROVER_TLS_KEY: .* holds no unencrypted private key/],
    [
      'they do not belong together',
      certFile,
      other.keyFile,
      /^DROVER_TLS_KEY: .* is not that of the certificate/,
    ],
  ] as const) {
    it(`are refused where ${what}, by name and without what they hold`, () => {
      assert.throws(
        () => read(cert, key),
        (err: Error) => {
          assert.equal(err.name, 'SettingsError');
          assert.match(err.message, problem);
          assert.doesNotMatch(err.message, /BEGIN|no PEM/);
          return true;
        },
      );
    });
  }
});
