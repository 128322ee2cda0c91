import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { withLock } from './lock.mjs';

describe('a lock between processes', () => {
  let folder;
  let path;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-lock-'));
    path = join(folder, 'a.lock');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const nobodyListens = () => {};

  it('lets one run at a time and is gone afterwards', async () => {
    const order = [];
    const work = (name) => async () => {
      order.push(`${name} in`);
      await new Promise((done) => setImmediate(done));
      order.push(`${name} out`);
    };
    await Promise.all([withLock(path, nobodyListens, work('a')), withLock(path, nobodyListens, work('b'))]);
    const [first, second] = order[0] === 'a in' ? ['a', 'b'] : ['b', 'a'];
    assert.deepEqual(order, [`${first} in`, `${first} out`, `${second} in`, `${second} out`]);
    assert.equal(existsSync(path), false);
  });

  const abandoned = [
    { title: 'by a process that is gone', text: '{"pid":4194303,"start":"1"}' },
    { title: 'under a pid that another process has now', text: `{"pid":${process.pid},"start":"1"}` },
    { title: 'half written', text: '{"pi' },
  ];
  for (const { title, text } of abandoned) {
    it(`is taken over when it was left ${title}`, async () => {
      await writeFile(path, text);
      assert.equal(await withLock(path, nobodyListens, async () => 'done'), 'done');
      assert.equal(existsSync(path), false);
    });
  }

  it('is released when the work fails', async () => {
    const failing = withLock(path, nobodyListens, () => Promise.reject(new Error('as asked')));
    await assert.rejects(failing, /as asked/);
    assert.equal(existsSync(path), false);
  });
});
