import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { withSettingsFile } from './settings-file.js';

describe('drover.yaml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-yaml-'));
  const path = join(folder, 'drover.yaml');
  after(() => rmSync(folder, { recursive: true }));

  const rows = [
    { title: 'takes a number', text: 'DROVER_API_PORT: 9000', expected: { DROVER_API_PORT: '9000' } },
    { title: 'joins a list', text: 'DROVER_API_KEYS: [a, b]', expected: { DROVER_API_KEYS: 'a,b' } },
    {
      title: 'takes true',
      text: 'DROVER_EXIT_WITH_PARENT: true',
      expected: { DROVER_EXIT_WITH_PARENT: 'true' },
    },
    { title: 'leaves out what has no value', text: 'DROVER_MODEL:', expected: {} },
    { title: 'may be empty', text: '# nothing yet\n', expected: {} },
  ];
  for (const { title, text, expected } of rows) {
    it(title, () => {
      writeFileSync(path, text);
      assert.deepEqual(withSettingsFile(path, {}), expected);
    });
  }

  it('yields to the environment, where an empty variable counts as unset', () => {
    writeFileSync(path, 'DROVER_API_PORT: 9000\nDROVER_LOG_LEVEL: debug');
    const merged = withSettingsFile(path, { DROVER_API_PORT: '9001', DROVER_LOG_LEVEL: '' });
    assert.deepEqual(merged, { DROVER_API_PORT: '9001', DROVER_LOG_LEVEL: 'debug' });
  });

  it('may be missing', () => {
    assert.deepEqual(withSettingsFile(join(folder, 'none.yaml'), { A: '1' }), { A: '1' });
  });

  const wrong = [
    {
      title: 'a name that is no setting',
      text: 'DROVER_API_PROT: 1',
      message: /DROVER_API_PROT is no setting/,
    },
    { title: 'a nested value', text: 'DROVER_MODEL: { path: x }', message: /DROVER_MODEL must be a text/ },
    { title: 'a list at the top', text: '- DROVER_MODEL', message: /one setting a line/ },
    { title: 'what is not YAML', text: 'DROVER_MODEL: [', message: /is not YAML/ },
  ];
  for (const { title, text, message } of wrong) {
    it(`refuses ${title}, naming the file`, () => {
      writeFileSync(path, text);
      assert.throws(() => withSettingsFile(path, {}), { name: 'StackError', message });
      assert.throws(() => withSettingsFile(path, {}), { message: new RegExp(path) });
    });
  }
});
