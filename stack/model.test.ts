import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chooseModel, makeDemoModel } from './model.js';
import { placesIn } from './places.js';

describe('the model of the pool default', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-model-'));
    await writeFile(join(folder, 'good.gguf'), 'GGUF\x03\x00');
    await writeFile(join(folder, 'bad.gguf'), 'PK\x03\x04');
    await writeFile(join(folder, 'empty.gguf'), '');
    await mkdir(join(folder, 'folder'));
  });
  after(() => rm(folder, { recursive: true }));

  it('is the demonstration model where none is named', async () => {
    const model = await chooseModel(undefined, placesIn(folder));
    assert.deepEqual([model.ref, model.path], ['demo', join(folder, 'models', 'demo.gguf')]);
  });

  it('is the GGUF file that is named', async () => {
    const path = join(folder, 'good.gguf');
    const expected = { path, ref: `file:${path}`, name: null, alias: 'good' };
    assert.deepEqual(await chooseModel(path, placesIn(folder)), expected);
  });

  for (const content of ['', 'GG', 'PK\x03\x04']) {
    it(`is made anew where the demonstration model's file holds ${JSON.stringify(content)}`, async () => {
      const places = placesIn(join(folder, 'state'));
      const model = await chooseModel(undefined, places);
      await mkdir(places.modelDir, { recursive: true });
      await writeFile(model.path, content);
      // The program that makes it is not started by a test that takes a second: it is asked for.
      await assert.rejects(makeDemoModel(model, AbortSignal.abort()), { name: 'AbortError' });
      await writeFile(model.path, 'GGUF\x03\x00');
      await makeDemoModel(model, AbortSignal.abort());
    });
  }

  const wrong = [
    { file: 'none.gguf', message: /does not exist/ },
    { file: 'bad.gguf', message: /is no GGUF file/ },
    { file: 'empty.gguf', message: /is no GGUF file/ },
    { file: 'folder', message: /is a folder/ },
  ];
  for (const { file, message } of wrong) {
    it(`is refused in one line when the path is ${file}`, async () => {
      await assert.rejects(chooseModel(join(folder, file), placesIn(folder)), {
        name: 'StackError',
        message: new RegExp(`^DROVER_MODEL: [^\n]*${message.source}[^\n]*$`),
      });
    });
  }
});
